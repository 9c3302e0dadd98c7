"""``Generate`` over real connections: order, text, refusals, cancellation, deadlines."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest

from service.api.served_model import Limits, LoadedModel
from service.api.servicers import inference_servicer as inference
from service.engine.language_model import DecodeFailed
from service.testing.scripted_model import EOS
from slotline.v1 import (
    generation_pb2,
    model_pb2,
    prompt_pb2,
    sampling_pb2,
    tokens_pb2,
)
from tests.support.calls import GREEDY, error_details, request, scripted_text
from tests.support.scripted_core import (
    WAIT_S,
    Gate,
    RunningCore,
    ScriptedLoadedModel,
    core_config,
    load_scripted,
    running_core,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from service.config import ModelConfig


@pytest.fixture
async def core() -> AsyncIterator[RunningCore]:
    async with running_core() as running:
        yield running


@pytest.fixture
def gate() -> Gate:
    return Gate()


class TestStream:
    """What a successful call looks like."""

    async def test_is_acceptance_then_text_then_the_ending(self, core: RunningCore) -> None:
        messages = await core.generate(request(request_id="mine"))
        kinds = [message.WhichOneof("event") for message in messages]
        assert kinds[0] == "accepted"
        assert kinds[-1] == "finished"
        assert set(kinds[1:-1]) == {"delta"}
        assert messages[0].accepted.request_id == "mine"
        assert messages[0].accepted.model == "scripted"
        assert messages[0].accepted.prompt_tokens == 5
        assert messages[-1].finished.reason == generation_pb2.FINISH_REASON_LENGTH
        assert messages[-1].finished.tokens_predicted == 8

    async def test_tells_how_far_the_prompt_is_before_any_text_if_asked(self, core: RunningCore) -> None:
        output = generation_pb2.OutputOptions(prompt_progress=True)
        messages = await core.generate(request("Once upon a time", output=output))
        kinds = [message.WhichOneof("event") for message in messages]
        told = [message.progress for message in messages if message.WhichOneof("event") == "progress"]
        assert kinds[: 1 + len(told)] == ["accepted", *["progress"] * len(told)]
        assert [(one.processed, one.total) for one in told] == [(0, 16), (16, 16)]

    async def test_tells_the_prompt_as_the_model_sees_it_if_asked(self, core: RunningCore) -> None:
        output = generation_pb2.OutputOptions(prompt_text=True)
        accepted = (await core.generate(request("Once<eos>", output=output)))[0].accepted
        assert accepted.prompt_text == "Once<eos>"
        assert not (await core.generate(request("Once")))[0].accepted.prompt_text

    async def test_tells_the_times_with_each_piece_if_asked(self, core: RunningCore) -> None:
        output = generation_pb2.OutputOptions(timings=True)
        messages = await core.generate(request("Once", output=output))
        pieces = [piece for message in messages for piece in message.delta.pieces]
        counts = [piece.timings.decoded_tokens for piece in pieces]
        assert counts == list(range(1, messages[-1].finished.tokens_predicted + 1))

    async def test_has_one_piece_per_token_of_this_model(self, core: RunningCore) -> None:
        messages = await core.generate(request())
        assert [len(piece.text) for message in messages for piece in message.delta.pieces] == [1] * 8
        assert text_of(messages) == scripted_text(b"Hello", 8)

    @pytest.mark.parametrize("delay_ms", [1, 50])
    async def test_has_the_same_text_with_fewer_messages_on_request(self, core: RunningCore, delay_ms: int) -> None:
        output = generation_pb2.OutputOptions(max_delta_delay_ms=delay_ms)
        assert text_of(await core.generate(request(output=output))) == scripted_text(b"Hello", 8)

    async def test_numbers_its_tasks(self, core: RunningCore) -> None:
        ids = [(await core.generate(request()))[0].accepted.task_id for _ in range(3)]
        assert ids == sorted(set(ids))

    async def test_tells_one_run_of_the_server_from_another(self, core: RunningCore) -> None:
        mine = (await core.generate(request()))[0].accepted.instance_id
        async with running_core() as other:
            assert (await other.generate(request()))[0].accepted.instance_id != mine
        assert (await core.models.Health(model_pb2.HealthRequest())).instance_id == mine

    async def test_of_no_tokens_evaluates_the_prompt_only(self, core: RunningCore) -> None:
        messages = await core.generate(request(max_tokens=0))
        assert text_of(messages) == ""
        assert messages[-1].finished.tokens_predicted == 0
        assert messages[-1].finished.tokens_cached == 5

    async def test_stops_at_a_stop_text(self, core: RunningCore) -> None:
        whole = scripted_text(b"Hello", 8)
        stop = generation_pb2.StopParams(max_tokens=8, texts=[whole[3:5]])
        messages = await core.generate(request(stop=stop))
        assert text_of(messages) == whole[:3]
        assert messages[-1].finished.reason == generation_pb2.FINISH_REASON_STOP
        assert messages[-1].finished.stop_text == whole[3:5]

    async def test_stops_at_a_token(self, core: RunningCore) -> None:
        token = scripted_text(b"Hello", 1).encode()[0]
        stop = generation_pb2.StopParams(max_tokens=8, token_ids=[token])
        messages = await core.generate(request(stop=stop))
        assert text_of(messages) == ""
        assert messages[-1].finished.stop_token_id == token

    async def test_ends_with_the_models_end(self) -> None:
        async with running_core(load=load_scripted(lambda tokens: EOS if len(tokens) == 7 else 97)) as core:
            messages = await core.generate(request())
        assert text_of(messages) == "aa"
        assert messages[-1].finished.eos_token_id == EOS

    async def test_has_token_records_on_request(self, core: RunningCore) -> None:
        output = generation_pb2.OutputOptions(n_probs=2, top_logprobs=3)
        messages = await core.generate(request(output=output))
        tokens = [token for message in messages for piece in message.delta.pieces for token in piece.tokens]
        assert bytes(token.id for token in tokens).decode() == text_of(messages)
        for token in tokens:
            assert token.piece == bytes([token.id])
            assert token.logprob == pytest.approx(0, abs=1e-3)
            assert len(token.top_logprobs) == 3
            assert token.top_logprobs[0].id == token.id
            assert [candidate.id for candidate in token.probabilities][:1] == [token.id]
            assert len(token.probabilities) == 2

    @pytest.mark.parametrize(
        ("prompt", "tokens"),
        [
            ({"text": "ab"}, b"ab"),
            ({"text": ""}, b" "),
            ({"token_ids": tokens_pb2.TokenIds(ids=[97, 98])}, b"ab"),
            (
                {
                    "parts": prompt_pb2.PromptParts(
                        parts=[
                            prompt_pb2.PromptPart(text="a"),
                            prompt_pb2.PromptPart(token_ids=tokens_pb2.TokenIds(ids=[98])),
                        ]
                    )
                },
                b"ab",
            ),
            (
                {
                    "chat": prompt_pb2.ChatPrompt(
                        messages=[prompt_pb2.ChatMessage(role="user", content=[prompt_pb2.PromptPart(text="ab")])]
                    )
                },
                b"<user>ab<assistant>",
            ),
        ],
    )
    async def test_continues_every_form_of_prompt(
        self, core: RunningCore, prompt: dict[str, Any], tokens: bytes
    ) -> None:
        asked = generation_pb2.GenerateRequest(**prompt, sampling=GREEDY, stop=generation_pb2.StopParams(max_tokens=6))
        assert text_of(await core.generate(asked)) == scripted_text(tokens, 6)

    async def test_takes_part_of_the_prompt_from_the_cache(self, core: RunningCore) -> None:
        await core.generate(request("The same beginning"))
        messages = await core.generate(request("The same beginning, another end"))
        assert messages[0].accepted.cached_prompt_tokens >= len("The same beginning")
        assert messages[-1].finished.usage.cached_prompt_tokens == messages[0].accepted.cached_prompt_tokens
        cache = generation_pb2.CacheOptions(cache_prompt=False)
        messages = await core.generate(request("The same beginning", cache=cache))
        assert messages[0].accepted.cached_prompt_tokens == 0

    async def test_is_the_same_for_many_callers_at_once(self, core: RunningCore) -> None:
        prompts = [f"prompt {number}" for number in range(12)]
        answers = await asyncio.gather(*(core.generate(request(prompt)) for prompt in prompts))
        assert [text_of(answer) for answer in answers] == [scripted_text(prompt.encode(), 8) for prompt in prompts]


class TestRefusal:
    """What is not accepted ends with a status that programs can read."""

    @pytest.mark.parametrize(
        ("fields", "code", "reason", "field"),
        [
            (
                {"sampling": sampling_pb2.SamplingParams(top_p=math.nan)},
                grpc.StatusCode.INVALID_ARGUMENT,
                "INVALID_ARGUMENT",
                "sampling.top_p",
            ),
            ({"text": "x" * 256}, grpc.StatusCode.INVALID_ARGUMENT, "CONTEXT_LENGTH_EXCEEDED", "prompt"),
            ({"request_id": "x" * 129}, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "request_id"),
            ({"model": "gpt-4"}, grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", None),
            (
                {"constraint": generation_pb2.Constraint(json_schema='{"not":{}}')},
                grpc.StatusCode.INVALID_ARGUMENT,
                "INVALID_ARGUMENT",
                "constraint.json_schema",
            ),
        ],
    )
    async def test_names_the_reason_and_the_field(
        self, core: RunningCore, fields: dict[str, Any], code: grpc.StatusCode, reason: str, field: str | None
    ) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await core.generate(request(**fields))
        info, bad_request, _ = error_details(caught.value)
        assert caught.value.code() is code
        assert (info.domain, info.reason) == ("slotline", reason)
        assert [violation.field for violation in bad_request.field_violations] == ([field] if field else [])

    @pytest.mark.parametrize("name", ["", "scripted", "/models/scripted.gguf", "scripted.gguf"])
    async def test_is_not_for_the_models_own_names(self, core: RunningCore, name: str) -> None:
        assert text_of(await core.generate(request(model=name)))

    async def test_of_too_many_requests_says_when_to_come_back(self, gate: Gate) -> None:
        async with running_core(core_config(max_queue=1), load=load_scripted(gate.script)) as core:
            gate.close()
            calls = [asyncio.ensure_future(core.generate(request())) for _ in range(12)]
            refused, _ = await asyncio.wait(calls, timeout=WAIT_S, return_when=asyncio.FIRST_EXCEPTION)
            error = next(iter(refused)).exception()
            assert isinstance(error, grpc.aio.AioRpcError)
            info, _, retry = error_details(error)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert (info.reason, dict(info.metadata)) == ("QUEUE_FULL", {"limit": "1"})
            assert retry.retry_delay.ToMilliseconds() > 0
            gate.open()
            answers = await asyncio.gather(*calls, return_exceptions=True)
        texts = [text_of(answer) for answer in answers if isinstance(answer, list)]
        assert 3 <= len(texts) < 12
        assert set(texts) == {scripted_text(b"Hello", 8)}

    async def test_of_one_step_that_failed_concerns_its_requests_only(self) -> None:
        model = ScriptedLoadedModel(n_cells=512, n_seq_max=3)

        def load(config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
            return model

        async with running_core(load=load) as core:
            model.compute.fail_next = DecodeFailed("simulated")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await core.generate(request())
            assert caught.value.code() is grpc.StatusCode.INTERNAL
            assert error_details(caught.value)[0].reason == "INTERNAL"
            assert text_of(await core.generate(request())) == scripted_text(b"Hello", 8)

    async def test_for_an_unexpected_fault_tells_nothing_about_the_inside(
        self, core: RunningCore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(*arguments: object) -> None:
            raise KeyError("a secret of the implementation")

        monkeypatch.setattr(inference, "generation_request", broken)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await core.generate(request())
        assert caught.value.code() is grpc.StatusCode.INTERNAL
        assert "secret" not in f"{caught.value.details()}{caught.value.trailing_metadata()}"
        (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert record.exc_info is not None
        assert "secret" in str(record.exc_info[1])


class TestLargePrompt:
    """Prompts above the 4 MB that gRPC allows by default."""

    async def test_is_truncated_if_the_caller_allows_it(self, core: RunningCore) -> None:
        text = "".join(chr(97 + number % 26) for number in range(5_000_000))
        messages = await core.generate(request(text, overflow=generation_pb2.OVERFLOW_TRUNCATE))
        accepted = messages[0].accepted
        assert accepted.truncated
        assert 128 <= accepted.prompt_tokens < 256
        assert text_of(messages) == scripted_text(text[-accepted.prompt_tokens :].encode(), 8)

    async def test_is_refused_otherwise_with_both_lengths(self, core: RunningCore) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await core.generate(request("x" * 5_000_000))
        info, _, _ = error_details(caught.value)
        assert info.reason == "CONTEXT_LENGTH_EXCEEDED"
        assert (info.metadata["n_prompt_tokens"], info.metadata["n_ctx"]) == ("5000000", "256")

    async def test_has_a_limit_that_is_named(self) -> None:
        async with running_core(limits=Limits(max_prompt_bytes=5 << 20)) as core:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await core.generate(request("x" * (6 << 20)))
            assert caught.value.details() == f"text: has {6 << 20} bytes; allowed are at most {5 << 20}"
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await core.generate(request("x" * (21 << 20)))
            assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
