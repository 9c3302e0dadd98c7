"""Saving, restoring and erasing slots, on the scripted model, whose text depends on every cell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from service.config import EngineConfig
from service.engine.engine import Engine
from service.engine.language_model import DecodeFailed
from service.engine.request.events import Failed, SlotErased, SlotRestored, SlotSaved
from service.engine.request.items import tokens_of
from service.engine.request.requests import Overflow, SystemPrompt, SystemPromptRequest
from service.engine.request.slot_requests import EraseSlot, RestoreSlot, SaveSlot, SlotImage
from service.errors import CacheExhausted, Draining, InvalidArgument, NotAllowed, NotSupported, ServiceError
from service.testing.scripted_media import media_chunk
from tests.support.engine import EngineBench, RecordingSink, expected_text, prompt, request
from tests.support.pictures import WIDTH, media_of, prompt_of

if TYPE_CHECKING:
    from service.engine.request.slot_requests import SlotRequest

LONG = "a prompt that is long enough to be worth its cells"
#: Tokens that a slot holds after it: the last one of the answer is not evaluated.
N_HELD = len(LONG) + 7


def answer(bench: EngineBench, asked: SlotRequest) -> SlotSaved | SlotRestored | SlotErased | Failed:
    """The only event of a request for a slot."""
    (event,) = bench.complete(asked).events
    assert isinstance(event, SlotSaved | SlotRestored | SlotErased | Failed)
    return event


def error_of(bench: EngineBench, asked: SlotRequest) -> ServiceError:
    event = answer(bench, asked)
    assert isinstance(event, Failed)
    return event.error


def saved(bench: EngineBench, slot_id: int = 0, tenant: str = "") -> SlotImage:
    """The image of a slot, as one that was read from a file."""
    event = answer(bench, SaveSlot(slot_id, tenant))
    assert isinstance(event, SlotSaved)
    return replace(event.image, packed=(memoryview(b"".join(event.image.packed)),))


def test_a_restored_prompt_need_not_be_evaluated() -> None:
    first, second = EngineBench(), EngineBench()
    first.complete(request(LONG, slot_id=0))
    image = saved(first)
    assert len(image.items) == N_HELD
    assert answer(second, RestoreSlot(1, image)) == SlotRestored(N_HELD, 0.0)
    sink = second.complete(request(LONG))
    assert (sink.accepted.slot_id, sink.accepted.cached_prompt_tokens) == (1, len(LONG) - 1)
    assert sink.text == expected_text(LONG, 8)


def test_a_slot_that_was_saved_goes_on_as_before() -> None:
    bench = EngineBench()
    bench.complete(request(LONG))
    before = bench.engine.snapshot()
    saved(bench)
    assert bench.engine.snapshot().slots == before.slots
    assert bench.complete(request(LONG)).accepted.cached_prompt_tokens == len(LONG) - 1


def test_shared_cells_are_copied() -> None:
    bench = EngineBench()
    bench.complete(request(LONG, slot_id=0))
    bench.complete(request(LONG + "x", slot_id=1))
    image = saved(bench, 1)
    answer(bench, EraseSlot(0))
    answer(bench, EraseSlot(1))
    assert bench.engine.snapshot().kv_cells_used == 0
    answer(bench, RestoreSlot(0, image))
    sink = bench.complete(request(LONG + "x"))
    assert (sink.accepted.cached_prompt_tokens, sink.text) == (len(LONG), expected_text(LONG + "x", 8))


def test_a_busy_slot_is_saved_when_it_is_idle_before_anybody_else_gets_it() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    _, running = bench.submit(request(LONG))
    bench.step()
    _, waiting = bench.submit(request("another prompt"))
    _, saving = bench.submit(SaveSlot(0))
    bench.step()
    assert not saving.events
    bench.run()
    (event,) = saving.events
    assert isinstance(event, SlotSaved)
    assert bytes(tokens_of(event.image.items[: len(LONG)])) == LONG.encode()
    assert (running.text, waiting.text) == (expected_text(LONG, 8), expected_text("another prompt", 8))


def test_who_waits_for_a_busy_slot_can_leave() -> None:
    bench = EngineBench()
    _, running = bench.submit(request(LONG, slot_id=0))
    bench.step()
    task_id, saving = bench.submit(SaveSlot(0))
    assert bench.engine.queue_depth == 1
    bench.engine.cancel(task_id)
    assert bench.engine.queue_depth == 0
    bench.run()
    assert (saving.events, running.text) == ([], expected_text(LONG, 8))


def test_a_slot_whose_cells_have_gone_for_a_running_request_cannot_be_saved_meanwhile() -> None:
    bench = EngineBench(EngineConfig(n_slots=3, n_ctx_slot=300), n_cells=400)
    first = "p" * 60 + "a" * 83
    bench.complete(request(first, slot_id=0))
    bench.complete(request("p" * 60 + "b" * 33, slot_id=1))
    _, running = bench.submit(request("c" * 270, max_tokens=20, slot_id=2))
    while not running.text:
        bench.step()
    # Making room takes the cache of the other idle slot, too, and is still not enough.
    _, saving = bench.submit(SaveSlot(0))
    bench.step()
    error = saving.failed.error
    assert isinstance(error, InvalidArgument)
    assert "holds nothing" in str(error)
    bench.run()
    assert running.text == expected_text("c" * 270, 20)
    assert bytes(tokens_of(saved(bench).items[: len(first)])) == first.encode()


def test_who_waits_at_the_end_is_told() -> None:
    bench = EngineBench()
    bench.submit(request(LONG, slot_id=0))
    bench.step()
    _, saving = bench.submit(SaveSlot(0))
    for sink, events in bench.engine.stop():
        sink.put(events)
    assert isinstance(saving.failed.error, Draining)


def test_what_a_restored_slot_held_before_is_kept_in_main_memory() -> None:
    bench = EngineBench()
    other = LONG[::-1]
    bench.complete(request(LONG, slot_id=0))
    image = saved(bench)
    bench.complete(request(other, slot_id=0))
    answer(bench, RestoreSlot(0, image))
    assert bench.complete(request(LONG)).accepted.cached_prompt_tokens == len(LONG) - 1
    assert bench.complete(request(other)).accepted.cached_prompt_tokens == len(other) - 1


def test_erased_prompts_are_evaluated_again() -> None:
    bench = EngineBench()
    bench.complete(request(LONG, slot_id=0))
    assert answer(bench, EraseSlot(0)) == SlotErased(N_HELD)
    assert bench.engine.snapshot().kv_cells_used == 0
    assert bench.complete(request(LONG)).accepted.cached_prompt_tokens == 0


def test_copies_of_an_erased_prompt_in_main_memory_go_with_it() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    bench.complete(request(LONG))
    bench.complete(request("something else"))
    bench.complete(request(LONG))
    bench.complete(request(LONG))
    assert bench.engine.snapshot().saved_prompts
    answer(bench, EraseSlot(0))
    assert bench.complete(request(LONG)).accepted.cached_prompt_tokens == 0


def test_a_slot_whose_cells_went_to_others_is_saved_from_main_memory() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=128, idle_cells=0))
    bench.complete(request(LONG, slot_id=0))
    _, running = bench.submit(request("Another prompt", slot_id=1, max_tokens=100))
    while bench.engine.snapshot().slots[0].cached_tokens:
        bench.step()
    assert isinstance(error_of(bench, SaveSlot(0, "b")), NotAllowed)
    image = saved(bench)
    assert len(image.items) == N_HELD
    assert running.text == expected_text("Another prompt", 100)
    fresh = EngineBench()
    answer(fresh, RestoreSlot(0, image))
    sink = fresh.complete(request(LONG))
    assert (sink.accepted.cached_prompt_tokens, sink.text) == (len(LONG) - 1, expected_text(LONG, 8))


def test_a_slot_whose_cells_went_to_others_is_saved_from_who_shares_them() -> None:
    bench = EngineBench(EngineConfig(n_slots=3, n_ctx_slot=128, idle_cells=0))
    bench.complete(request(LONG, slot_id=0))
    _, running = bench.submit(request(LONG + "xyz", slot_id=1, max_tokens=40))
    while not running.text:
        bench.step()
    while bench.engine.snapshot().slots[0].cached_tokens:
        bench.step()
    assert bench.engine.snapshot().saved_prompts == 0
    image = saved(bench)
    assert bytes(tokens_of(image.items)) == LONG.encode()
    assert running.text == expected_text(LONG + "xyz", 40)


def test_erasing_a_slot_whose_cells_went_to_others_erases_the_copy() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=128, idle_cells=0))
    bench.complete(request(LONG, slot_id=0))
    bench.submit(request("Another prompt", slot_id=1, max_tokens=100))
    while bench.engine.snapshot().slots[0].cached_tokens:
        bench.step()
    assert answer(bench, EraseSlot(0)) == SlotErased(N_HELD)
    assert bench.engine.snapshot().saved_prompts == 0
    assert bench.complete(request(LONG)).accepted.cached_prompt_tokens == 0


def test_an_empty_slot_can_be_erased_and_not_saved() -> None:
    bench = EngineBench()
    assert answer(bench, EraseSlot(1)) == SlotErased(0)
    error = error_of(bench, SaveSlot(1))
    assert isinstance(error, InvalidArgument)
    assert error.message == "slot_id: is 1, but that slot holds nothing that could be saved"


def test_unknown_slots_are_refused() -> None:
    bench = EngineBench()
    for asked in (SaveSlot(2), EraseSlot(-1)):
        assert error_of(bench, asked).message == f"slot_id: is {asked.slot_id}; allowed: 0 to 1"


def test_one_tenant_cannot_touch_what_another_one_left() -> None:
    bench = EngineBench()
    bench.complete(request(LONG, slot_id=0, tenant="a", cache_salt="a\n"))
    for asked in (SaveSlot(0, "b"), EraseSlot(0, "b"), SaveSlot(0)):
        error = error_of(bench, asked)
        assert isinstance(error, NotAllowed)
        assert error.message == "slot_id: slot 0 holds what another API key sent"
    assert saved(bench, tenant="a").tenant == "a"


def test_a_restored_prompt_is_found_by_its_salt_alone() -> None:
    bench = EngineBench()
    bench.complete(request(LONG, slot_id=0, tenant="a", cache_salt="a\nx"))
    image = saved(bench, tenant="a")
    answer(bench, EraseSlot(0, "a"))
    answer(bench, RestoreSlot(1, image))
    for salt in ("", "a\n", "b\nx"):
        assert bench.complete(request(LONG, slot_id=0, cache_salt=salt)).accepted.cached_prompt_tokens == 0
    sink = bench.complete(request(LONG, cache_salt="a\nx"))
    assert sink.accepted.cached_prompt_tokens == len(LONG) - 1
    # Nor can others save it now.
    assert isinstance(error_of(bench, SaveSlot(1, "b")), NotAllowed)


def test_what_a_context_shift_left_is_not_saved() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=64))
    bench.complete(request(LONG, max_tokens=30, n_keep=10, overflow=Overflow.TRUNCATE))
    image = saved(bench)
    assert bytes(tokens_of(image.items)) == LONG[:10].encode()
    answer(bench, RestoreSlot(0, image))
    assert bench.complete(request(LONG)).text == expected_text(LONG, 8)


def test_a_system_prompt_is_saved_along_and_must_be_the_same() -> None:
    system = SystemPromptRequest(SystemPrompt("Be brief.", prompt("Be brief.")))
    first, second = EngineBench(), EngineBench()
    for bench in (first, second):
        bench.complete(system)
    first.complete(request(LONG))
    image = saved(first)
    assert (len(image.items), image.n_system) == (9 + N_HELD, 9)
    answer(second, RestoreSlot(0, image))
    slot = second.engine.snapshot().slots[0]
    assert slot.cached_tokens == N_HELD
    sink = second.complete(request(LONG))
    assert (sink.accepted.cached_prompt_tokens, sink.text) == (len(LONG) - 1, expected_text("Be brief." + LONG, 8))
    error = error_of(EngineBench(), RestoreSlot(0, image))
    assert "behind another system prompt" in error.message


def test_pictures_are_saved_by_their_keys() -> None:
    cat = media_chunk("cat", 40, width=WIDTH)
    items, media = prompt_of(prompt("look: "), cat, prompt("?")), media_of(cat)
    first, second = (EngineBench(n_embd_input=WIDTH, n_whole=64) for _ in range(2))
    asked = request(prompt=items, media=media)
    expected = first.complete(asked)
    answer(second, RestoreSlot(0, saved(first)))
    sink = second.complete(asked)
    assert (sink.accepted.cached_prompt_tokens, sink.text) == (len(items) - 1, expected.text)


def test_without_cells_a_restore_fails_and_nobody_else_does() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=128), n_cells=128)
    bench.complete(request(LONG, slot_id=0))
    image = saved(bench)
    answer(bench, EraseSlot(0))
    _, running = bench.submit(request(LONG * 2, slot_id=1))
    while not running.text:
        bench.step()
    error = error_of(bench, RestoreSlot(0, image))
    assert isinstance(error, CacheExhausted)
    assert "57 cells are needed" in error.message
    assert running.text == expected_text(LONG * 2, 8)


def test_what_the_model_does_not_take_is_refused() -> None:
    bench = EngineBench()
    bench.complete(request(LONG))
    image = saved(bench)
    for packed, problem in ((image.packed[0][:-32], "57 tokens and 56 cells"), (image.packed[0][:-1], "no cells")):
        error = error_of(bench, RestoreSlot(0, replace(image, packed=(packed,))))
        assert isinstance(error, InvalidArgument)
        assert (error.field, problem in error.problem) == ("filename", True)
    assert bench.complete(request(LONG)).accepted.cached_prompt_tokens == len(LONG) - 1
    error = error_of(bench, RestoreSlot(0, replace(image, items=[999, *image.items[1:]])))
    assert error.message == "filename: names a file with tokens outside of the vocabulary of 258"


def test_a_model_that_fails_to_copy_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = EngineBench()
    bench.complete(request(LONG))

    def fail(_: int) -> None:
        raise DecodeFailed("planned")

    monkeypatch.setattr(bench.model.memory, "save", fail)
    assert error_of(bench, SaveSlot(0)).message == "slot 0 could not be copied: planned"
    monkeypatch.undo()
    assert bench.complete(request(LONG)).accepted.cached_prompt_tokens == len(LONG) - 1


def test_with_self_extend_slots_can_only_be_erased() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128, group_n=2, group_width=8))
    bench.complete(request(LONG))
    assert isinstance(error_of(bench, SaveSlot(0)), NotSupported)
    assert answer(bench, EraseSlot(0)) == SlotErased(N_HELD)


def test_a_model_without_a_format_cannot_save() -> None:
    bench = EngineBench()
    bench.model.info = replace(bench.model.info, sequence_format="")
    engine, sink = Engine(bench.model, bench.config, bench.clock), RecordingSink()
    engine.submit(1, SaveSlot(0), sink)
    for receiver, events in engine.step():
        receiver.put(events)
    assert isinstance(sink.failed.error, NotSupported)


@pytest.mark.parametrize(("can_cut", "can_shift"), [(False, False), (True, False)])
def test_models_with_other_memories_restore_whole_prompts(can_cut: bool, can_shift: bool) -> None:
    first, second = (EngineBench(can_cut=can_cut, can_fork=can_cut, can_shift=can_shift) for _ in range(2))
    first.complete(request(LONG))
    image = saved(first)
    answer(second, RestoreSlot(0, image))
    longer = bytes(tokens_of(image.items)).decode() + "?"
    sink = second.complete(request(longer))
    assert (sink.accepted.cached_prompt_tokens, sink.text) == (N_HELD, expected_text(longer, 8))
