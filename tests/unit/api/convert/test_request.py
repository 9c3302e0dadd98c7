"""``GenerateRequest`` to ``GenerationRequest``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from service.api.convert.request import MAX_PROMPT_ENTRIES, envelope, generation_request
from service.api.served_model import Limits
from service.config import EngineConfig, Pooling
from service.engine.cache.context_shift import resolve_n_keep, truncate_prompt
from service.engine.request.items import tokens_of
from service.engine.request.requests import GenerationRequest, Overflow, SystemPrompt
from service.errors import ContextLengthExceeded, InvalidArgument, NotSupported
from service.prompts.paced import COUNTED_TOKENS
from service.testing.scripted_model import BOS
from slotline.v1 import generation_pb2, prompt_pb2, sampling_pb2
from tests.support.scripted_core import ByteVocabulary, FimTokens
from tests.support.served import served_model

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = served_model()
TRUNCATE = generation_pb2.OVERFLOW_TRUNCATE


def convert(**fields: Any) -> GenerationRequest:
    """What the engine is asked for."""
    return generation_request(generation_pb2.GenerateRequest(**({"text": "Hi"} | fields)), MODEL)


def test_a_bare_prompt_takes_every_default() -> None:
    request = convert()
    assert request.prompt == (72, 105)
    assert request.max_tokens is None
    assert request.min_tokens == 0
    assert request.stop_texts == ()
    assert request.stop_tokens == frozenset()
    assert not request.include_match
    assert request.n_keep == 0
    assert request.overflow is Overflow.REFUSE
    assert request.cache_prompt
    assert request.slot_id is None
    assert not request.want_tokens


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"stop": generation_pb2.StopParams(max_tokens=0)}, "max_tokens", 0),
        ({"stop": generation_pb2.StopParams(max_tokens=7)}, "max_tokens", 7),
        ({"stop": generation_pb2.StopParams(min_tokens=7)}, "min_tokens", 7),
        ({"stop": generation_pb2.StopParams(texts=["é", "", "b"])}, "stop_texts", ("é".encode(), b"b")),
        ({"stop": generation_pb2.StopParams(token_ids=[3, 4, 3])}, "stop_tokens", frozenset({3, 4})),
        ({"stop": generation_pb2.StopParams(include_match=True)}, "include_match", True),
        ({"stop": generation_pb2.StopParams(min_indent=4)}, "min_indent", 4),
        ({"stop": generation_pb2.StopParams(line_limit_ms=1500)}, "line_limit_s", 1.5),
        ({"stop": generation_pb2.StopParams(line_limit_ms=0)}, "line_limit_s", None),
        ({"n_keep": -1}, "n_keep", -1),
        ({"n_keep": 5}, "n_keep", 5),
        ({"overflow": generation_pb2.OVERFLOW_REFUSE}, "overflow", Overflow.REFUSE),
        ({"overflow": TRUNCATE}, "overflow", Overflow.TRUNCATE),
        ({"cache": generation_pb2.CacheOptions(cache_prompt=False)}, "cache_prompt", False),
        ({"cache": generation_pb2.CacheOptions(slot_id=0)}, "slot_id", 0),
        ({"cache": generation_pb2.CacheOptions(slot_id=1)}, "slot_id", 1),
        # A wish for a slot that does not exist is no wish.
        ({"cache": generation_pb2.CacheOptions(slot_id=2)}, "slot_id", None),
        ({"output": generation_pb2.OutputOptions(tokens=True)}, "want_tokens", True),
        ({"output": generation_pb2.OutputOptions(n_probs=1)}, "want_tokens", True),
        ({"output": generation_pb2.OutputOptions(top_logprobs=0)}, "want_tokens", True),
        ({"output": generation_pb2.OutputOptions(timings=True)}, "want_timings", True),
        ({"output": generation_pb2.OutputOptions(prompt_progress=True)}, "want_progress", True),
        ({}, "n_sequences", 1),
        ({"num_sequences": 1}, "n_sequences", 1),
        ({"num_sequences": 128}, "n_sequences", 128),
        ({"cache": generation_pb2.CacheOptions(cache_salt="é" * 64)}, "cache_salt", "é" * 64),
        ({"system_prompt": prompt_pb2.SystemPrompt()}, "system_prompt", SystemPrompt()),
        (
            {"system_prompt": prompt_pb2.SystemPrompt(anti_prompt="User:", assistant_name="Bot")},
            "system_prompt",
            SystemPrompt(anti_prompt="User:", assistant_name="Bot"),
        ),
        (
            {"system_prompt": prompt_pb2.SystemPrompt(prompt="Be brief.", anti_prompt="User:")},
            "system_prompt",
            SystemPrompt("Be brief.", tuple(b"Be brief."), "User:"),
        ),
    ],
)
def test_a_field_reaches_the_engine(fields: dict[str, Any], name: str, value: object) -> None:
    assert getattr(convert(**fields), name) == value


def test_the_cache_is_used_as_the_server_was_started_unless_the_request_says_otherwise() -> None:
    model = served_model(cache_prompt=False)
    bare = generation_pb2.GenerateRequest(text="Hi")
    asking = generation_pb2.GenerateRequest(text="Hi", cache=generation_pb2.CacheOptions(cache_prompt=True))
    assert not generation_request(bare, model).cache_prompt
    assert generation_request(asking, model).cache_prompt


@pytest.mark.parametrize(
    ("fields", "field", "allowed"),
    [
        ({"n_keep": -2}, "n_keep", "-1 or more"),
        ({"overflow": 9}, "overflow", "OVERFLOW_TRUNCATE"),
        ({"num_sequences": 0}, "num_sequences", "1 to 128"),
        ({"num_sequences": 129}, "num_sequences", "1 to 128"),
        ({"num_sequences": 2**32 - 1}, "num_sequences", "1 to 128"),
        ({"cache": generation_pb2.CacheOptions(cache_salt="é" * 65)}, "cache.cache_salt", "at most 128"),
        ({"system_prompt": prompt_pb2.SystemPrompt(prompt="x" * 57)}, "system_prompt.prompt", "at most 56"),
        ({"system_prompt": prompt_pb2.SystemPrompt(anti_prompt="x" * 1025)}, "system_prompt.anti_prompt", "1024"),
        ({"system_prompt": prompt_pb2.SystemPrompt(assistant_name="x" * 1025)}, "system_prompt.assistant_name", "1024"),
        ({"stop": generation_pb2.StopParams(texts=["x"] * 129)}, "stop.texts", "at most 128"),
        ({"stop": generation_pb2.StopParams(token_ids=[1, 300])}, "stop.token_ids[1]", "0 to 257"),
        ({"sampling": sampling_pb2.SamplingParams(mirostat=3)}, "sampling.mirostat", "0 to 2"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_path(fields: dict[str, Any], field: str, allowed: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        convert(**fields)
    assert caught.value.field == field
    assert allowed in caught.value.problem


@pytest.mark.parametrize(
    ("output", "n_top"),
    [
        ({}, None),
        ({"top_logprobs": 3}, None),
        ({"prompt_logprobs": False, "top_logprobs": 3}, None),
        ({"prompt_logprobs": True}, 0),
        ({"prompt_logprobs": True, "top_logprobs": 20}, 20),
    ],
)
def test_a_prompts_log_probabilities_come_with_as_many_candidates_as_an_answers(
    output: dict[str, Any], n_top: int | None
) -> None:
    request = convert(output=generation_pb2.OutputOptions(**output))
    assert request.prompt_logprobs == n_top
    assert request.want_tokens == ("top_logprobs" in output)


def test_the_report_about_a_prompt_is_bounded() -> None:
    output = generation_pb2.OutputOptions(prompt_logprobs=True, top_logprobs=21)
    with pytest.raises(InvalidArgument, match="20") as caught:
        convert(output=output)
    assert caught.value.field == "output.top_logprobs"
    wide = served_model(engine=EngineConfig(n_slots=1, n_ctx_slot=10_000))
    output = generation_pb2.OutputOptions(prompt_logprobs=True, top_logprobs=20)
    fits, too_long = MAX_PROMPT_ENTRIES // 21, MAX_PROMPT_ENTRIES // 21 + 1
    generation_request(generation_pb2.GenerateRequest(text="x" * fits, output=output), wide)
    with pytest.raises(InvalidArgument, match=f"{too_long} tokens .* 20 candidates .* {MAX_PROMPT_ENTRIES}") as caught:
        generation_request(generation_pb2.GenerateRequest(text="x" * too_long, output=output), wide)
    assert caught.value.field == "output.prompt_logprobs"


def test_a_prompt_whose_log_probabilities_are_wanted_is_never_truncated() -> None:
    output = generation_pb2.OutputOptions(prompt_logprobs=True)
    assert convert(text="x" * 63, overflow=TRUNCATE, output=output).overflow is Overflow.TRUNCATE
    with pytest.raises(ContextLengthExceeded):
        convert(text="x" * 64, overflow=TRUNCATE, output=output)


@pytest.mark.parametrize("fields", [{"constraint": generation_pb2.Constraint()}, {"extra": {"any": "thing"}}])
def test_what_asks_for_nothing_is_ignored(fields: dict[str, Any]) -> None:
    assert convert(**fields).prompt == (72, 105)


def test_a_prompt_must_be_shorter_than_the_context() -> None:
    assert len(convert(text="x" * 63).prompt) == 63
    with pytest.raises(ContextLengthExceeded) as caught:
        convert(text="x" * 64)
    assert caught.value.metadata == {"field": "prompt", "n_prompt_tokens": "64", "n_ctx": "64"}


def test_a_model_that_cannot_generate_says_so() -> None:
    with pytest.raises(NotSupported, match="cannot generate text; it turns texts into embeddings only"):
        generation_request(generation_pb2.GenerateRequest(text="Hi"), served_model(can_generate=False))


def test_a_ranker_that_cannot_generate_says_what_it_does() -> None:
    with pytest.raises(NotSupported, match="cannot generate text; it scores pairs of texts only"):
        generation_request(
            generation_pb2.GenerateRequest(text="Hi"), served_model(can_generate=False, pooling=Pooling.RANK)
        )


class TestSystemPrompt:
    """Prompts behind a system prompt."""

    SPECIAL = served_model(vocabulary=ByteVocabulary(adds_bos=True))
    IN_FORCE = SystemPrompt("x" * 20, (BOS, *b"x" * 19))

    def test_is_tokenised_with_bos_and_without_special_tokens(self) -> None:
        message = generation_pb2.GenerateRequest(text="Hi", system_prompt=prompt_pb2.SystemPrompt(prompt="<eos>"))
        system = generation_request(message, self.SPECIAL).system_prompt
        assert system is not None
        assert system.tokens == (BOS, *b"<eos>")

    def test_takes_its_tokens_from_the_slot(self) -> None:
        fits = generation_pb2.GenerateRequest(text="x" * 43)
        assert len(generation_request(fits, MODEL, self.IN_FORCE).prompt) == 43
        with pytest.raises(ContextLengthExceeded, match="system prompt takes 20 of the 64 in a slot's") as caught:
            generation_request(generation_pb2.GenerateRequest(text="x" * 44), MODEL, self.IN_FORCE)
        assert caught.value.metadata == {"field": "prompt", "n_prompt_tokens": "44", "n_ctx": "44"}

    def test_counts_if_it_comes_with_the_request_and_not_if_that_replaces_it(self) -> None:
        clearing = generation_pb2.GenerateRequest(text="x" * 63, system_prompt=prompt_pb2.SystemPrompt())
        assert len(generation_request(clearing, MODEL, self.IN_FORCE).prompt) == 63
        setting = generation_pb2.GenerateRequest(text="x" * 63, system_prompt=prompt_pb2.SystemPrompt(prompt="y"))
        with pytest.raises(ContextLengthExceeded, match="system prompt takes 1 of"):
            generation_request(setting, MODEL)

    @pytest.mark.parametrize("n_bytes", [100, 2 * COUNTED_TOKENS])
    def test_shortens_the_files_of_an_infill_prompt(self, n_bytes: int) -> None:
        files = [prompt_pb2.InfillFile(text="x" * n_bytes), prompt_pb2.InfillFile(text="y" * 5)]
        infill = prompt_pb2.InfillPrompt(repository=prompt_pb2.InfillRepository(files=files))
        model = served_model(vocabulary=ByteVocabulary(fim_tokens=FimTokens()))
        message = generation_pb2.GenerateRequest(infill=infill, stop=generation_pb2.StopParams(max_tokens=4))
        alone = generation_request(message, model).prompt
        behind = generation_request(message, model, self.IN_FORCE).prompt
        assert (len(alone), len(behind)) == (64 - 4, 64 - 4 - 20)
        assert alone[20:] == behind
        assert b"xxx\n\n--- snippet ---\n\nyyyyy" in bytes(token for token in tokens_of(behind) if token < 256)

    def test_leaves_the_prompts_bos_to_the_engine_which_leaves_it_out(self) -> None:
        request = generation_request(generation_pb2.GenerateRequest(text="x" * 43), self.SPECIAL, self.IN_FORCE)
        assert request.prompt == (BOS, *b"x" * 43)
        assert request.has_bos

    @pytest.mark.parametrize(("n_keep", "has_bos"), [(0, False), (1, True), (-1, True)])
    def test_that_comes_later_finds_no_bos_where_truncation_has_dropped_it(self, n_keep: int, has_bos: bool) -> None:
        message = generation_pb2.GenerateRequest(text="x" * 1000, overflow=TRUNCATE, n_keep=n_keep)
        request = generation_request(message, self.SPECIAL)
        assert request.has_bos is has_bos is (request.prompt[0] == BOS)

    @pytest.mark.parametrize("n_prompt", [44, 64, 1000])
    @pytest.mark.parametrize("n_keep", [0, 5, -1])
    def test_changes_nothing_about_what_the_engine_truncates_a_prompt_to(self, n_prompt: int, n_keep: int) -> None:
        text = "".join(chr(97 + number % 26) for number in range(n_prompt))
        message = generation_pb2.GenerateRequest(text=text, overflow=TRUNCATE, n_keep=n_keep)
        request = generation_request(message, self.SPECIAL, self.IN_FORCE)
        assert request.prompt[0] == BOS
        own = tokens_of(request.prompt[1:])
        assert 44 <= len(own) <= 88
        assert truncate_prompt(own, 44, resolve_n_keep(n_keep, len(own), 44)) == truncate_prompt(
            tuple(text.encode()), 44, resolve_n_keep(n_keep, n_prompt, 44)
        )


def test_a_prompt_that_may_be_truncated_is_not_refused() -> None:
    assert len(convert(text="x" * 64, overflow=TRUNCATE).prompt) == 64


@pytest.mark.parametrize("n_prompt", [10, 63, 64, 128, 1000])
def test_what_is_dropped_beforehand_is_counted(n_prompt: int) -> None:
    request = convert(text="x" * n_prompt, overflow=TRUNCATE)
    assert len(request.prompt) + request.n_dropped == n_prompt


class TestEnvelope:
    """``envelope``."""

    def test_keeps_the_callers_id(self) -> None:
        assert envelope(generation_pb2.GenerateRequest(request_id="mine")).request_id == "mine"

    def test_makes_ids_that_differ(self) -> None:
        made = {envelope(generation_pb2.GenerateRequest()).request_id for _ in range(10)}
        assert len(made) == 10
        assert "" not in made

    @pytest.mark.parametrize(("request_id", "is_allowed"), [("é" * 64, True), ("é" * 64 + "x", False)])
    def test_bounds_the_id_in_bytes(self, request_id: str, is_allowed: bool) -> None:
        request = generation_pb2.GenerateRequest(request_id=request_id)
        if is_allowed:
            assert envelope(request).request_id == request_id
            return
        with pytest.raises(InvalidArgument, match="request_id: has 129 bytes; allowed are at most 128"):
            envelope(request)

    @pytest.mark.parametrize(("delay_ms", "delay_s"), [(None, 0.0), (0, 0.0), (20, 0.02), (10_000, 10.0)])
    def test_takes_the_delay(self, delay_ms: int | None, delay_s: float) -> None:
        output = generation_pb2.OutputOptions(max_delta_delay_ms=delay_ms)
        assert envelope(generation_pb2.GenerateRequest(output=output)).delta_delay_s == delay_s

    def test_bounds_the_delay(self) -> None:
        output = generation_pb2.OutputOptions(max_delta_delay_ms=10_001)
        with pytest.raises(InvalidArgument, match=r"output\.max_delta_delay_ms: is 10001; allowed are 0 to 10000"):
            envelope(generation_pb2.GenerateRequest(output=output))


def test_limits_come_from_the_model() -> None:
    model = served_model(limits=Limits(max_stop_texts=1))
    request = generation_pb2.GenerateRequest(text="Hi", stop=generation_pb2.StopParams(texts=["a", "b"]))
    with pytest.raises(InvalidArgument, match="at most 1"):
        generation_request(request, model)


@pytest.mark.parametrize(
    ("stop", "field", "allowed"),
    [
        ({"min_tokens": 8, "max_tokens": 7}, "stop.min_tokens", "is 8; allowed are 0 to 7, the limit on tokens"),
        ({"min_tokens": 1, "max_tokens": 0}, "stop.min_tokens", "allowed are 0 to 0"),
        ({"min_tokens": 2**32 - 1}, "stop.min_tokens", "is 4294967295; allowed are 0 to 64, a slot's context"),
        ({"min_tokens": 65, "max_tokens": 2**32 - 1}, "stop.min_tokens", "allowed are 0 to 64, a slot's context"),
        ({"texts": ["x" * 40_000] * 2}, "stop.texts", "has 80000 bytes; allowed are at most 65536"),
        ({"token_ids": [1] * 1000}, "stop.token_ids", "has 1000 entries; allowed are at most 258"),
    ],
)
def test_ends_that_contradict_each_other_or_have_no_measure_are_refused(
    stop: dict[str, Any], field: str, allowed: str
) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(allowed)) as caught:
        convert(stop=generation_pb2.StopParams(**stop))
    assert caught.value.field == field


def test_a_minimum_may_be_the_maximum() -> None:
    request = convert(stop=generation_pb2.StopParams(min_tokens=7, max_tokens=7))
    assert (request.min_tokens, request.max_tokens) == (7, 7)


def test_the_servers_limit_on_tokens_bounds_the_minimum() -> None:
    model = served_model(engine=EngineConfig(n_slots=2, n_ctx_slot=64, max_tokens=5))
    asked = generation_pb2.GenerateRequest(text="Hi", stop=generation_pb2.StopParams(min_tokens=6))
    with pytest.raises(InvalidArgument, match="allowed are 0 to 5"):
        generation_request(asked, model)


def test_a_prompt_far_too_long_is_not_tokenised_to_its_end() -> None:
    class Counting(ByteVocabulary):
        """Gives the bytes of a text a thousand at a time."""

        given: ClassVar[list[int]] = []

        def token_steps(self, text: str, *, parse_special: bool) -> Iterator[list[int]]:
            for start in range(0, len(text), 1000):
                self.given.append(start)
                yield list(text[start : start + 1000].encode())

    model = served_model(vocabulary=Counting())
    asked = generation_pb2.GenerateRequest(text="x" * 1_000_000)
    with pytest.raises(ContextLengthExceeded, match="has more than 66000 tokens") as caught:
        generation_request(asked, model)
    assert caught.value.metadata["n_prompt_tokens"] == "66000"
    assert len(Counting.given) == 66
    # What is a little too long is counted to its end.
    with pytest.raises(ContextLengthExceeded, match="has 65000 tokens"):
        generation_request(generation_pb2.GenerateRequest(text="x" * 65_000), model)
    # Where a prompt is cut depends on all of it.
    asked.overflow = TRUNCATE
    assert generation_request(asked, model).n_dropped + len(generation_request(asked, model).prompt) == 1_000_000
