"""The model, its slots and the core's state as messages."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from service.api.convert.description import health_message, model_message, slot_message
from service.api.convert.settings import generation_settings
from service.api.served_model import PictureSupport
from service.api.status import CoreState, CoreStatus
from service.config import EngineConfig, MediaOptions
from service.engine.cache.slots import Slot
from service.engine.request.events import Finished, FinishReason, Timings
from service.engine.request.requests import GenerationRequest, SystemPrompt
from service.engine.request.snapshots import Counters, EngineSnapshot, SlotState
from service.media.encoder import WorkerState
from service.sampling.gbnf import GbnfGuide
from service.sampling.settings import SamplingSettings
from slotline.v1 import generation_pb2, model_pb2, prompt_pb2, sampling_pb2, tokens_pb2
from tests.support.fake_encoder import FakeEncoder
from tests.support.scripted_core import ByteVocabulary, FimTokens
from tests.support.served import served_model

if TYPE_CHECKING:
    from service.api.served_model import ServedModel

MODEL = served_model()
FRESH = Slot(1).snapshot()
BUSY = replace(
    FRESH,
    state=SlotState.DECODE,
    task_id=0,
    request=GenerationRequest(prompt=(1,), n_keep=-1),
    seed=42,
    prompt_tokens=9,
    prompt_tokens_done=9,
    tokens_predicted=3,
    tokens_remaining=7,
    cached_tokens=11,
)
FINISHED = Finished(
    reason=FinishReason.STOP,
    stop_text=b"END",
    stop_token=None,
    eos_token=None,
    truncated=False,
    tokens_evaluated=9,
    tokens_predicted=3,
    tokens_cached=11,
    cached_prompt_tokens=0,
    n_keep=4,
    seed=42,
    max_tokens=10,
    slot_id=1,
    timings=Timings(9, 0.1, 3, 0.1),
)


def test_a_model_is_described_with_what_it_accepts() -> None:
    message = model_message(MODEL)
    assert message.name == "scripted"
    assert list(message.aliases) == ["scripted.gguf"]
    assert message.family == "scripted"
    assert message.context_length == 64
    assert message.n_slots == 2
    assert message.vocab_size == 258
    assert message.training_context_length == 4096
    assert message.chat_template == "recording"
    assert message.bos_token_id == 256
    assert list(message.eog_token_ids) == [257]
    assert message.capabilities == model_pb2.Capabilities(
        generate=True, embed=True, constraint=True, context_shift=True
    )
    assert message.embedding_dim == MODEL.info.n_embd
    assert message.limits.max_batch_embed == 2048
    assert message.limits.max_grammar_bytes == 64 << 10
    assert message.limits.max_prompt_bytes == MODEL.limits.max_prompt_bytes
    assert message.limits.max_stop_texts == MODEL.limits.max_stop_texts
    assert not message.HasField("max_output_tokens")
    assert not message.HasField("system_prompt")


def test_what_a_model_lacks_is_absent() -> None:
    assert not model_message(served_model(vocabulary=ByteVocabulary(bos_token=None))).HasField("bos_token_id")


@pytest.mark.parametrize(
    ("model", "capabilities"),
    [
        (served_model(n_hidden=0, can_shift=False), model_pb2.Capabilities(generate=True, constraint=True)),
        (
            served_model(n_hidden=0, can_shift=False, vocabulary=ByteVocabulary(fim_tokens=FimTokens())),
            model_pb2.Capabilities(generate=True, constraint=True, infill=True),
        ),
        (
            served_model(can_generate=False, can_shift=False, vocabulary=ByteVocabulary(fim_tokens=FimTokens())),
            model_pb2.Capabilities(embed=True),
        ),
        (
            replace(served_model(n_hidden=0, can_shift=False), tries_drafts=True),
            model_pb2.Capabilities(generate=True, constraint=True, speculation=True),
        ),
        (
            replace(served_model(n_hidden=0, can_shift=False, can_cut=False), tries_drafts=True),
            model_pb2.Capabilities(generate=True, constraint=True),
        ),
    ],
    ids=["no embeddings", "infill", "encoder", "drafts", "drafts that cannot be taken back"],
)
def test_capabilities_are_those_of_the_model_as_it_was_started(
    model: ServedModel, capabilities: model_pb2.Capabilities
) -> None:
    message = model_message(model)
    assert message.capabilities == capabilities
    assert bool(message.limits.max_batch_embed) is capabilities.embed


def test_the_system_prompt_in_force_is_shown() -> None:
    in_force = SystemPrompt("Be brief.", (1, 2), "User:", "Bot")
    assert model_message(MODEL, in_force).system_prompt == prompt_pb2.SystemPrompt(
        prompt="Be brief.", anti_prompt="User:", assistant_name="Bot"
    )


def test_a_cap_on_tokens_is_part_of_the_description_and_of_the_defaults() -> None:
    message = model_message(served_model(engine=EngineConfig(max_tokens=32)))
    assert message.max_output_tokens == 32
    assert message.default_settings.max_tokens == 32


@pytest.mark.parametrize(("cap", "shown"), [(None, 16), (32, 16), (8, 8)])
def test_a_usual_limit_on_tokens_is_among_the_defaults_and_no_cap(cap: int | None, shown: int) -> None:
    message = model_message(served_model(engine=EngineConfig(max_tokens=cap, default_max_tokens=16)))
    assert message.HasField("max_output_tokens") == (cap is not None)
    assert message.default_settings.max_tokens == shown


def test_the_default_settings_are_those_of_a_request_that_gives_none() -> None:
    settings = model_message(MODEL).default_settings
    assert settings.sampling.temperature == pytest.approx(0.8)
    assert settings.sampling.top_k == 40
    assert not settings.sampling.HasField("seed")
    assert settings.cache_prompt
    assert settings.n_ctx == 64
    assert not model_message(served_model(cache_prompt=False)).default_settings.cache_prompt


def test_no_breakers_are_searched_for_settings_that_are_only_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("takes tens of milliseconds on the event loop")

    monkeypatch.setattr(MODEL.breakers, "find", refuse)
    message = model_message(MODEL, sampling_defaults=sampling_pb2.SamplingParams(dry_multiplier=0.8))
    assert message.default_settings.sampling.dry_multiplier == pytest.approx(0.8)
    assert message.default_settings.sampling.dry_sequence_breakers.texts


@pytest.mark.parametrize(("explicit", "shown"), [((), {257: -math.inf}), (((257, 2.0),), {257: 2.0})])
def test_ignoring_the_end_shows_as_a_ban_unless_a_bias_beats_it(
    explicit: tuple[tuple[int, float], ...], shown: dict[int, float]
) -> None:
    sampling = SamplingSettings(ignore_eos=True, logit_bias=explicit)
    request = GenerationRequest(prompt=(1,), sampling=sampling)
    assert dict(generation_settings(request, MODEL, seed=1, n_keep=0, max_tokens=None).logit_bias) == shown


def test_a_fresh_slot_has_the_defaults_and_neither_task_nor_prompt() -> None:
    message = slot_message(FRESH, MODEL)
    assert message.id == 1
    assert message.state == model_pb2.SLOT_STATE_IDLE
    assert not message.HasField("task_id")
    assert message.WhichOneof("prompt") is None
    assert message.has_next_token
    assert message.settings == model_message(MODEL).default_settings


@pytest.mark.parametrize(
    ("state", "number"),
    [(SlotState.PREFILL, model_pb2.SLOT_STATE_PREFILL), (SlotState.DECODE, model_pb2.SLOT_STATE_DECODE)],
)
def test_a_busy_slot_tells_how_far_it_is(state: SlotState, number: int) -> None:
    message = slot_message(replace(BUSY, state=state), MODEL)
    assert message.state == number
    assert message.HasField("task_id")
    assert message.task_id == 0
    assert (message.prompt_tokens, message.prompt_tokens_done) == (9, 9)
    assert (message.tokens_predicted, message.tokens_remaining) == (3, 7)
    assert message.has_next_token
    assert message.cached_tokens == 11
    assert message.settings.sampling.seed == 42
    assert message.settings.max_tokens == 10
    assert message.settings.n_keep == 9
    assert not message.stopped_eos
    assert not message.stopped_limit
    assert not message.stopped_word


def test_a_busy_slot_without_a_limit_has_no_remainder() -> None:
    message = slot_message(replace(BUSY, tokens_remaining=None), MODEL)
    assert not message.HasField("tokens_remaining")
    assert not message.settings.HasField("max_tokens")


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, (False, False, True)),
        ({"stop_text": None, "eos_token": 257}, (True, False, False)),
        ({"stop_text": None, "eos_token": 257, "reason": FinishReason.LENGTH}, (True, True, False)),
        ({"stop_text": None, "reason": FinishReason.LENGTH}, (False, True, False)),
        ({"stop_text": None, "reason": FinishReason.CANCELLED}, (False, False, False)),
    ],
)
def test_an_idle_slot_tells_how_its_last_task_ended(changes: dict[str, Any], flags: tuple[bool, bool, bool]) -> None:
    slot = replace(BUSY, state=SlotState.IDLE, finished=replace(FINISHED, **changes))
    message = slot_message(slot, MODEL)
    assert (message.stopped_eos, message.stopped_limit, message.stopped_word) == flags
    assert not message.stopping_text
    assert not message.has_next_token
    assert message.task_id == 0
    assert message.settings.n_keep == 4


@pytest.mark.parametrize(
    "prompt",
    [
        {"text": ""},
        {"text": "Hi"},
        {"token_ids": tokens_pb2.TokenIds(ids=[1, 2])},
        {"chat": prompt_pb2.ChatPrompt(messages=[prompt_pb2.ChatMessage(role="user")])},
        {"parts": prompt_pb2.PromptParts(parts=[prompt_pb2.PromptPart(text="x")])},
        {"infill": prompt_pb2.InfillPrompt()},
    ],
)
def test_a_slot_shows_the_prompt_as_it_was_received(prompt: dict[str, Any]) -> None:
    received = generation_pb2.GenerateRequest(**prompt)
    message = slot_message(BUSY, MODEL, received=received)
    ((form, value),) = prompt.items()
    assert message.WhichOneof("prompt") == form
    assert getattr(message, form) == value


def test_a_slot_shows_others_what_its_task_does_but_nothing_that_was_written() -> None:
    request = GenerationRequest(
        prompt=(104, 105),
        n_keep=-1,
        sampling=SamplingSettings(top_k=7, penalty_prompt=(104,), logit_bias=((105, 1.0),)),
        stop_texts=(b"secret",),
        guide=GbnfGuide('root ::= "secret"'),
        tenant="mine",
    )
    slot = replace(BUSY, request=request)
    received = generation_pb2.GenerateRequest(text="secret")
    mine, others = (slot_message(slot, MODEL, tenant, received) for tenant in ("mine", "others"))
    assert (mine.text, mine.settings.grammar) == ("secret", 'root ::= "secret"')
    assert list(mine.settings.stop_texts) == ["secret"]
    assert (list(mine.settings.penalty_prompt_token_ids), dict(mine.settings.logit_bias)) == ([104], {105: 1.0})
    for kept in (others.settings, mine.settings):
        assert (kept.sampling.top_k, kept.n_keep, kept.max_tokens) == (7, 9, 10)
        assert kept.sampling.HasField("penalty_prompt")
    assert (others.tokens_predicted, others.prompt_tokens, others.state) == (3, 9, mine.state)
    assert others.WhichOneof("prompt") is None
    assert b"secret" in mine.SerializeToString()
    assert b"secret" not in others.SerializeToString()
    settings = others.settings
    assert not settings.grammar
    assert not settings.stop_texts
    assert not settings.penalty_prompt_token_ids
    assert not settings.logit_bias
    assert not settings.sampling.penalty_prompt.token_ids.ids
    assert not settings.sampling.logit_bias


def test_a_request_that_did_not_come_from_here_shows_no_prompt() -> None:
    assert slot_message(BUSY, MODEL).WhichOneof("prompt") is None


def test_an_idle_slot_shows_no_prompt_though_the_call_may_last_a_little_longer() -> None:
    received = generation_pb2.GenerateRequest(text="Hi")
    assert slot_message(replace(BUSY, state=SlotState.IDLE), MODEL, received=received).WhichOneof("prompt") is None


@pytest.mark.parametrize(
    ("state", "number"),
    [
        (CoreState.LOADING, model_pb2.SERVER_STATE_LOADING),
        (CoreState.READY, model_pb2.SERVER_STATE_READY),
        (CoreState.STALLED, model_pb2.SERVER_STATE_STALLED),
        (CoreState.FAILED, model_pb2.SERVER_STATE_FAILED),
        (CoreState.DRAINING, model_pb2.SERVER_STATE_DRAINING),
    ],
)
def test_health_shows_the_state_and_the_engine(state: CoreState, number: int) -> None:
    message = health_message(
        CoreStatus(
            state=state,
            instance_id="run",
            message="why",
            load_progress=0.5,
            start_time_s=1_700_000_000.25,
            uptime_s=3.5,
            queue_limit=128,
            snapshot=EngineSnapshot(
                slots=(FRESH, BUSY, BUSY),
                queue_depth=4,
                kv_cells_used=5,
                kv_cells_total=6,
                counters=Counters(),
                waiting_prompt_tokens=70,
                waiting_output_tokens=80,
                prompt_tokens_per_second=90.5,
            ),
        )
    )
    assert message.state == number
    assert (message.instance_id, message.message, message.load_progress) == ("run", "why", 0.5)
    assert (message.slots_idle, message.slots_processing) == (1, 2)
    assert (message.queue_depth, message.queue_limit) == (4, 128)
    assert (message.kv_cells_used, message.kv_cells_total) == (5, 6)
    assert message.prompt_tokens_outstanding == 70
    assert message.output_tokens_outstanding == 80 + 2 * (BUSY.tokens_remaining or 0)
    assert message.prompt_tokens_per_second == 90.5
    assert message.uptime.ToMilliseconds() == 3500
    assert message.start_time.ToMilliseconds() == 1_700_000_000_250


@pytest.mark.parametrize(
    ("worker", "number"),
    [
        (None, model_pb2.IMAGE_WORKER_STATE_UNSPECIFIED),
        (WorkerState.STARTING, model_pb2.IMAGE_WORKER_STATE_STARTING),
        (WorkerState.IDLE, model_pb2.IMAGE_WORKER_STATE_IDLE),
        (WorkerState.BUSY, model_pb2.IMAGE_WORKER_STATE_BUSY),
        (WorkerState.FAILED, model_pb2.IMAGE_WORKER_STATE_FAILED),
    ],
)
def test_health_shows_what_the_process_for_pictures_does(worker: WorkerState | None, number: int) -> None:
    snapshot = EngineSnapshot((), 0, 0, 0, Counters())
    assert health_message(CoreStatus(CoreState.READY, "", "", 1, 0, 0, 1, snapshot, worker)).image_worker == number


def test_a_model_says_which_pictures_it_takes() -> None:
    encoder = FakeEncoder()
    encoder.facts = replace(encoder.facts, projector_type="gemma3", min_tokens=3, max_tokens=5)
    limits = MediaOptions(max_images=1, max_image_bytes=2, max_request_image_bytes=3, max_image_pixels=4)
    message = model_message(served_model(pictures=PictureSupport(encoder, limits)))
    assert message.capabilities.vision
    assert message.images == model_pb2.ImageSupport(
        projector_type="gemma3",
        min_tokens=3,
        max_tokens=5,
        formats=["png", "jpeg", "gif", "bmp", "webp"],
        max_images=1,
        max_image_bytes=2,
        max_request_image_bytes=3,
        max_image_pixels=4,
    )
    assert not MODEL.pictures
    assert not model_message(MODEL).HasField("images")
    assert not model_message(MODEL).capabilities.vision
