"""Self-extend in the engine: what is evaluated where, on the scripted model that knows all positions."""

from __future__ import annotations

import pytest

from service.config import EngineConfig
from service.engine.engine import Engine
from service.engine.request.events import FinishReason
from service.engine.request.requests import Overflow, SystemPrompt, SystemPromptRequest
from service.errors import InvalidArgument
from service.testing.scripted_model import ScriptedModel, VirtualClock
from tests.support.engine import EngineBench, expected_text, prompt, request

GROUPED = EngineConfig(n_slots=2, n_ctx_slot=256, group_n=4, group_width=16)


def positions(bench: EngineBench, seq_id: int) -> list[int]:
    """Positions of a sequence, by token."""
    return [cell.position for cell in bench.model.memory.cells(seq_id)]


def test_prompt_and_answer_share_positions_in_groups() -> None:
    bench = EngineBench(GROUPED)
    sink = bench.complete(request("p" * 50, max_tokens=31, slot_id=0))
    assert sink.text == expected_text("p" * 50, 31)
    # 80 tokens are in memory: four windows that are grouped, and a full one.
    assert positions(bench, 0) == [place // 4 for place in range(64)] + [16 + place for place in range(16)]


def test_chunks_end_where_windows_do() -> None:
    bench = EngineBench(GROUPED)
    bench.complete(request("p" * 100, max_tokens=0))
    ends: list[int] = []
    for batch in bench.model.compute.decoded:
        (segment,) = batch
        ends.append(len(segment.tokens) + (ends[-1] if ends else 0))
    assert set(range(16, 100, 16)) <= set(ends)


def test_slots_have_windows_of_their_own() -> None:
    bench = EngineBench(GROUPED)
    sinks = [bench.submit(request(letter * length, max_tokens=40))[1] for letter, length in (("a", 3), ("b", 61))]
    bench.run()
    assert [sink.text for sink in sinks] == [expected_text("a" * 3, 40), expected_text("b" * 61, 40)]


def test_positions_begin_behind_the_system_prompt() -> None:
    bench = EngineBench(GROUPED)
    bench.complete(SystemPromptRequest(SystemPrompt("sys", prompt("sys"))))
    sink = bench.complete(request("p" * 40, max_tokens=1, slot_id=0))
    assert sink.text == expected_text("sys" + "p" * 40, 1)
    own = [place // 4 for place in range(32)] + [8 + place for place in range(8)]
    assert positions(bench, 0) == [0, 1, 2, *[3 + place for place in own]]


def test_nothing_is_taken_from_the_cache() -> None:
    bench = EngineBench(GROUPED)
    bench.complete(request("p" * 40, slot_id=0))
    again = bench.complete(request("p" * 40, slot_id=0))
    other = bench.complete(request("p" * 40, slot_id=1))
    assert again.accepted.cached_prompt_tokens == other.accepted.cached_prompt_tokens == 0
    assert again.text == other.text == expected_text("p" * 40, 8)


def test_several_sequences_are_each_evaluated() -> None:
    sink = EngineBench(GROUPED).complete(request("p" * 40, n_sequences=3))
    assert [sink.text_of(index) for index in range(3)] == [expected_text("p" * 40, 8)] * 3


def test_the_context_does_not_shift() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=64, group_n=2, group_width=8))
    finished = bench.complete(request("p", overflow=Overflow.TRUNCATE, max_tokens=500)).finished
    assert (finished.reason, finished.truncated) == (FinishReason.LENGTH, True)
    assert finished.tokens_evaluated + finished.tokens_predicted == 64


def test_a_model_that_cannot_move_positions_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="group_n"):
        Engine(ScriptedModel(can_shift=False), GROUPED, VirtualClock())
