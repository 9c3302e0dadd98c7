"""Several sequences, system prompts, infill, embeddings and metrics over real connections."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.config import ModelConfig, Pooling, SystemPromptText
from service.engine.language_model import DecodeFailed, Rows, Segment
from service.testing.scripted_model import BOS, N_EMBD, ScriptedCompute, ScriptedModel, states
from slotline.cli.options.core_options import FIELD_NAMES
from slotline.v1 import (
    embedding_pb2,
    generation_pb2,
    inference_service_pb2_grpc,
    model_pb2,
    prompt_pb2,
    sampling_pb2,
    tokens_pb2,
)
from tests.support.calls import GREEDY, error_details, request, scripted_text, until, until_idle
from tests.support.scripted_core import (
    WAIT_S,
    ByteVocabulary,
    FimTokens,
    Gate,
    RunningCore,
    ScriptedLoadedEncoder,
    ScriptedLoadedModel,
    core_config,
    load_scripted,
    running_core,
    scripted_model,
    socket_address,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from service.api.served_model import LoadedModel

MODEL = ModelConfig(path="/models/scripted.gguf", n_ctx=512, n_parallel=2, embedding=True)


class SpecialModel(ScriptedLoadedModel):
    """The scripted model with a BOS in front of prompts, and marks for infill."""

    vocabulary = ByteVocabulary(adds_bos=True, fim_tokens=FimTokens())


class HeldCompute(ScriptedCompute):
    """Evaluates for embeddings when a test lets it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.reached, self.leave = threading.Event(), threading.Event()
        self.n_calls = 0

    def hidden(self, segments: Sequence[Segment]) -> Rows:
        """Wait, then evaluate."""
        self.n_calls += 1
        self.reached.set()
        assert self.leave.wait(WAIT_S)
        return super().hidden(segments)


class HeldScriptedModel(ScriptedModel):
    """The scripted model with such a computation."""

    compute_type = HeldCompute


class HeldModel(ScriptedLoadedModel):
    """The same with what is loaded beside it."""

    model_type = HeldScriptedModel

    @property
    def held(self) -> HeldCompute:
        """What a test lets go on."""
        assert isinstance(self.compute, HeldCompute)
        return self.compute


def load_kind(kind: type[ScriptedLoadedModel] = SpecialModel, **options: Any) -> Callable[..., LoadedModel]:
    """A ``load`` that gives a scripted model of some kind."""

    def load(config: ModelConfig, *, on_progress: object) -> LoadedModel:
        return scripted_model(config, kind, **options)

    return load


def load_encoder(config: ModelConfig, *, on_progress: object) -> LoadedModel:
    """A ``load`` that gives a scripted encoder."""
    return ScriptedLoadedEncoder(pooling=Pooling.MEAN, n_hidden=64)


@pytest.fixture
async def core() -> AsyncIterator[RunningCore]:
    async with running_core(core_config(model=MODEL), load=load_kind()) as running:
        yield running


@pytest.fixture
def gate() -> Gate:
    return Gate()


def with_bos(text: str) -> list[int]:
    """A prompt's tokens as the model with BOS gets them."""
    return [BOS, *text.encode()]


def by_index(messages: list[generation_pb2.GenerateResponse]) -> dict[int, str]:
    """The text of each sequence of a stream."""
    indices = [message.finished.index for message in messages if message.HasField("finished")]
    return {
        index: text_of([message for message in messages if message.delta.index == index]) for index in sorted(indices)
    }


async def refusal(call: Any) -> tuple[grpc.StatusCode, str, str]:
    """Status, reason and message of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), error_details(caught.value)[0].reason, caught.value.details() or ""


async def described(core: RunningCore) -> model_pb2.Model:
    """The served model."""
    return (await core.models.GetModel(model_pb2.GetModelRequest())).model


class TestSeveralSequences:
    """``num_sequences`` above 1."""

    @pytest.mark.parametrize("n", [1, 2, 3, 20])
    async def test_are_accepted_once_and_end_each_also_if_there_are_more_than_slots(
        self, core: RunningCore, n: int
    ) -> None:
        messages = await core.generate(request(num_sequences=n))
        assert [message.WhichOneof("event") for message in messages].count("accepted") == 1
        assert messages[0].HasField("accepted")
        expected = scripted_text(with_bos("Hello"), 8)
        assert by_index(messages) == dict.fromkeys(range(n), expected)
        usages = [message.finished.usage for message in messages if message.finished.HasField("usage")]
        assert messages[-1].finished.usage == usages[0]
        assert len(usages) == 1
        assert (usages[0].prompt_tokens, usages[0].completion_tokens) == (6, 8 * n)

    async def test_draw_differently_from_one_seed_and_again_the_same(self, core: RunningCore) -> None:
        flat = sampling_pb2.SamplingParams(temperature=100, top_k=0, top_p=1, min_p=0, seed=11)
        drawn = [by_index(await core.generate(request(num_sequences=3, sampling=flat))) for _ in range(2)]
        assert drawn[0] == drawn[1]
        assert len(set(drawn[0].values())) == 3
        alone = request(sampling=sampling_pb2.SamplingParams(temperature=100, top_k=0, top_p=1, min_p=0, seed=12))
        assert text_of(await core.generate(alone)) == drawn[0][1]

    async def test_all_end_when_the_call_is_cancelled(self, gate: Gate) -> None:
        async with running_core(load=load_scripted(gate.script)) as core:
            gate.close(after=5)
            call: Any = core.inference.Generate(request(max_tokens=200, num_sequences=7), timeout=WAIT_S)
            assert (await call.read()).HasField("accepted")
            assert await asyncio.to_thread(gate.reached.wait, WAIT_S)
            assert call.cancel()
            await core.server.core.wait_until_idle(WAIT_S)
            gate.open()
            await until_idle(core)
            assert text_of(await core.generate(request())) == scripted_text(b"Hello", 8)

    async def test_are_bounded(self, core: RunningCore) -> None:
        code, reason, message = await refusal(core.generate(request(num_sequences=129)))
        assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
        assert message == "num_sequences: is 129; allowed are 1 to 128"


class TestSystemPrompt:
    """The system prompt of all slots."""

    async def test_stands_before_every_prompt_until_it_is_cleared(self, core: RunningCore) -> None:
        system = prompt_pb2.SystemPrompt(prompt="Be brief. ", anti_prompt="User:", assistant_name="Bot")
        behind = scripted_text(with_bos("Be brief. Hello"), 8)
        messages = await core.generate(request(system_prompt=system))
        assert text_of(messages) == behind
        assert messages[-1].finished.tokens_evaluated == len("Hello")
        assert (await described(core)).system_prompt == system
        answers = await asyncio.gather(*(core.generate(request()) for _ in range(5)))
        assert {text_of(answer) for answer in answers} == {behind}
        cleared = await core.generate(request(system_prompt=prompt_pb2.SystemPrompt()))
        assert text_of(cleared) == scripted_text(with_bos("Hello"), 8)
        assert not (await described(core)).HasField("system_prompt")

    async def test_takes_its_tokens_from_the_context(self, core: RunningCore) -> None:
        system = prompt_pb2.SystemPrompt(prompt="x" * 99)
        assert text_of(await core.generate(request("y" * 155, max_tokens=1, system_prompt=system)))
        code, reason, message = await refusal(core.generate(request("y" * 156)))
        assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CONTEXT_LENGTH_EXCEEDED")
        assert "the system prompt takes 100 of the 256" in message

    async def test_that_leaves_no_room_is_refused_and_changes_nothing(self, core: RunningCore) -> None:
        system = prompt_pb2.SystemPrompt(prompt="x" * 248)
        code, _, message = await refusal(core.generate(request(system_prompt=system)))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert message.startswith("system_prompt.prompt: has 249 tokens; allowed are at most 248")
        assert not (await described(core)).HasField("system_prompt")

    async def test_waits_for_no_one(self, gate: Gate) -> None:
        async with running_core(load=load_scripted(gate.script)) as core:
            gate.close(after=1)
            running: Any = core.inference.Generate(request(max_tokens=200), timeout=WAIT_S)
            assert (await running.read()).HasField("accepted")
            refused = asyncio.ensure_future(
                core.generate(request(system_prompt=prompt_pb2.SystemPrompt(prompt="Be brief.")))
            )

            def is_refused(health: model_pb2.HealthResponse) -> bool:
                """Whether it was; if not, let the running request go on."""
                gate.allow(1)
                return refused.done()

            await until(core, is_refused)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await refused
            info, _, retry = error_details(caught.value)
            assert (caught.value.code(), info.reason) == (grpc.StatusCode.UNAVAILABLE, "SLOTS_BUSY")
            assert retry.retry_delay.ToMilliseconds() > 0
            assert running.cancel()
            gate.open()
            await until_idle(core)
            assert text_of(await core.generate(request())) == scripted_text(b"Hello", 8)

    async def test_of_the_configuration_is_in_force_from_the_start(self) -> None:
        config = core_config(model=MODEL, system_prompt=SystemPromptText("Be brief. ", "User:", "Bot"))
        async with running_core(config, load=load_kind()) as core:
            shown = (await described(core)).system_prompt
            assert (shown.prompt, shown.anti_prompt, shown.assistant_name) == ("Be brief. ", "User:", "Bot")
            assert text_of(await core.generate(request())) == scripted_text(with_bos("Be brief. Hello"), 8)

    @pytest.mark.parametrize(
        ("text", "load", "problem"),
        [
            ("x" * 300, load_kind(), "its prompt has 301 tokens; allowed are at most 248"),
            ("Be brief.", load_encoder, "cannot generate text"),
        ],
    )
    async def test_of_the_configuration_that_is_unusable_fails_the_core_with_a_reason(
        self, text: str, load: Callable[..., LoadedModel], problem: str
    ) -> None:
        config = core_config(model=MODEL, system_prompt=SystemPromptText(text))
        async with running_core(config, load=load, wait_ready=False) as core:
            health = await until(core, lambda health: health.state == model_pb2.SERVER_STATE_FAILED)
        assert health.message.startswith("the system prompt of `system_prompt` is unusable: ")
        assert problem in health.message

    async def test_that_cannot_be_evaluated_fails_the_core_too(self) -> None:
        def load(config: ModelConfig, *, on_progress: object) -> LoadedModel:
            model = scripted_model(config)
            model.compute.fail_next = DecodeFailed("simulated")
            return model

        config = core_config(system_prompt=SystemPromptText("Be brief."))
        async with running_core(config, load=load, wait_ready=False) as core:
            health = await until(core, lambda health: health.state == model_pb2.SERVER_STATE_FAILED)
        assert "`system_prompt` is unusable: the model could not evaluate the system prompt" in health.message


class TestInfill:
    """Prompts around a gap."""

    INFILL = prompt_pb2.InfillPrompt(
        prefix=prompt_pb2.PromptParts(parts=[prompt_pb2.PromptPart(text="ab")]),
        suffix=prompt_pb2.PromptParts(parts=[prompt_pb2.PromptPart(text="yz")]),
    )

    def asked(self, **fields: Any) -> generation_pb2.GenerateRequest:
        """A request to fill the gap."""
        stop = generation_pb2.StopParams(max_tokens=8)
        return generation_pb2.GenerateRequest(infill=self.INFILL, sampling=GREEDY, stop=stop, **fields)

    @pytest.mark.parametrize("system", ["", "Be brief. "])
    async def test_keep_their_bos_also_behind_a_system_prompt(self, core: RunningCore, system: str) -> None:
        fields = {"system_prompt": prompt_pb2.SystemPrompt(prompt=system)} if system else {}
        head = [BOS, *system.encode()] if system else []
        marks = FimTokens()
        tokens = [*head, BOS, marks.prefix, *b"ab", marks.suffix, *b"yz", marks.middle]
        assert text_of(await core.generate(self.asked(**fields))) == scripted_text(tokens, 8)

    async def test_are_shown_in_the_slot_while_it_runs(self, gate: Gate) -> None:
        gate.close(after=1)
        async with running_core(core_config(model=MODEL), load=load_kind(script=gate.script)) as core:
            call = core.inference.Generate(self.asked())
            health = await until(core, lambda health: health.slots_processing > 0)
            slots = (await core.models.ListSlots(model_pb2.ListSlotsRequest())).slots
            assert health.slots_processing == 1
            assert self.INFILL in [slot.infill for slot in slots]
            gate.open()
            assert [message async for message in call]

    async def test_need_marks(self) -> None:
        async with running_core() as core:
            assert not (await described(core)).capabilities.infill
            code, reason, _ = await refusal(core.generate(self.asked()))
        assert (code, reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED")


def embed_request(*texts: str, **fields: Any) -> embedding_pb2.EmbedRequest:
    """A request for the vectors of texts."""
    return embedding_pb2.EmbedRequest(inputs=[embedding_pb2.EmbedInput(text=text) for text in texts], **fields)


class TestEmbed:
    """Vectors."""

    async def test_has_one_vector_per_input_in_order(self, core: RunningCore) -> None:
        texts = [f"text number {number}" for number in range(100)]
        response = await core.inference.Embed(embed_request(*texts, normalize=False), timeout=WAIT_S)
        assert [one.index for one in response.embeddings] == list(range(100))
        for text, one in zip(texts, response.embeddings, strict=True):
            assert list(one.values) == states(with_bos(text))[-1].tolist()
        assert response.usage == tokens_pb2.Usage(prompt_tokens=sum(len(text) + 1 for text in texts))

    async def test_gives_unit_length_unless_told_otherwise(self, core: RunningCore) -> None:
        (one,) = (await core.inference.Embed(embed_request("some text"), timeout=WAIT_S)).embeddings
        assert sum(value * value for value in one.values) == pytest.approx(1)
        assert len(one.values) == N_EMBD == (await described(core)).embedding_dim

    async def test_runs_beside_generation(self, core: RunningCore) -> None:
        embedding = asyncio.gather(
            *(core.inference.Embed(embed_request(*["ab"] * 50), timeout=WAIT_S) for _ in range(4))
        )
        answers = await asyncio.gather(*(core.generate(request()) for _ in range(6)))
        assert {text_of(answer) for answer in answers} == {scripted_text(with_bos("Hello"), 8)}
        assert len({response.SerializeToString() for response in await embedding}) == 1

    async def test_is_forgotten_with_its_call(self) -> None:
        model = HeldModel(n_cells=MODEL.n_ctx, n_seq_max=MODEL.n_seq_max, n_hidden=32)
        async with running_core(core_config(model=MODEL), load=lambda config, on_progress: model) as core:
            call: Any = core.inference.Embed(embed_request(*["ab"] * 1000), timeout=WAIT_S)
            assert await asyncio.to_thread(model.held.reached.wait, WAIT_S)
            assert call.cancel()
            await core.server.core.wait_until_idle(WAIT_S)
            model.held.leave.set()
            health = await until(core, lambda health: health.kv_cells_used == 0)
        assert (health.slots_processing, health.queue_depth) == (0, 0)
        assert model.held.n_calls < 10

    async def test_ends_at_its_deadline(self) -> None:
        model = HeldModel(n_cells=MODEL.n_ctx, n_seq_max=MODEL.n_seq_max, n_hidden=32)
        async with running_core(core_config(model=MODEL), load=lambda config, on_progress: model) as core:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await core.inference.Embed(embed_request("ab"), timeout=0.2)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            await core.server.core.wait_until_idle(WAIT_S)
            model.held.leave.set()

    async def test_of_a_server_without_embeddings_says_how_to_get_them(self) -> None:
        async with running_core() as core:
            capabilities = (await described(core)).capabilities
            code, reason, message = await refusal(core.inference.Embed(embed_request("a")))
        assert (capabilities.generate, capabilities.embed) == (True, False)
        assert (code, reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED")
        assert "start the server with `embedding`" in message

    async def test_whoever_set_the_fields_by_other_names_reads_those(self) -> None:
        config = core_config(field_names={"embedding": "--embedding"})
        async with running_core(config) as core:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await core.inference.Embed(embed_request("a"))
        assert caught.value.details() == "embeddings are not enabled; start the server with --embedding"
        info, _, _ = error_details(caught.value)
        assert dict(info.metadata) == {"config_fields": "embedding"}

    async def test_of_a_failed_evaluation_is_an_internal_error(self) -> None:
        model = scripted_model(MODEL)
        async with running_core(core_config(model=MODEL), load=lambda config, on_progress: model) as core:
            model.compute.fail_next = DecodeFailed("simulated")
            code, reason, _ = await refusal(core.inference.Embed(embed_request("a")))
            assert (code, reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
            assert (await core.inference.Embed(embed_request("a"))).embeddings

    async def test_of_an_encoder_works_and_generation_is_refused(self) -> None:
        async with running_core(core_config(model=MODEL), load=load_encoder) as core:
            response = await core.inference.Embed(embed_request("ab", "c", normalize=False), timeout=WAIT_S)
            assert list(response.embeddings[0].values) == pytest.approx(states(with_bos("ab")).mean(axis=0).tolist())
            code, reason, message = await refusal(core.generate(request()))
            capabilities = (await described(core)).capabilities
        assert (capabilities.generate, capabilities.embed) == (False, True)
        assert (code, reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED")
        assert "cannot generate text" in message

    async def test_names_the_input_that_is_wrong(self, core: RunningCore) -> None:
        _, reason, message = await refusal(core.inference.Embed(embed_request("a", "x" * 300)))
        assert reason == "CONTEXT_LENGTH_EXCEEDED"
        assert message.startswith("inputs[1]: has 301 tokens")


async def test_prompts_of_different_salt_share_no_cache(core: RunningCore) -> None:
    async def cached(salt: str) -> int:
        cache = generation_pb2.CacheOptions(cache_salt=salt)
        return (await core.generate(request("The same beginning", cache=cache)))[0].accepted.cached_prompt_tokens

    assert [await cached("mine"), await cached("yours")] == [0, 0]
    assert await cached("mine") > 0


async def test_metrics_count_what_was_done_and_average_over_a_window(core: RunningCore) -> None:
    fresh = await core.models.GetMetrics(model_pb2.GetMetricsRequest())
    assert (fresh.prompt_tokens_total, fresh.predicted_tokens_total) == (0, 0)
    assert (fresh.prompt_tokens_per_second, fresh.predicted_tokens_per_second) == (0, 0)
    await core.generate(request())
    await until_idle(core)
    used = await core.models.GetMetrics(model_pb2.GetMetricsRequest(reset_window=True))
    assert (used.prompt_tokens_total, used.predicted_tokens_total) == (6, 8)
    assert used.prompt_tokens_per_second > 0
    assert used.predicted_tokens_per_second > 0
    assert used.kv_tokens == used.kv_cells_used == 13
    assert used.kv_cells_total == 512
    later = await core.models.GetMetrics(model_pb2.GetMetricsRequest())
    assert later.predicted_tokens_total == 8
    assert (later.prompt_tokens_per_second, later.predicted_tokens_per_second) == (0, 0)
    families = {family.name: family for family in text_string_to_metric_families(later.exposition)}
    assert families["slotline_predicted_tokens"].samples[0].value == 8


async def test_metrics_are_there_while_the_model_is_being_loaded(gate: Gate) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def load(config: ModelConfig, *, on_progress: object) -> LoadedModel:
        loop.call_soon_threadsafe(entered.set)
        asyncio.run_coroutine_threadsafe(leave.wait(), loop).result(WAIT_S)
        return scripted_model(config)

    async with running_core(load=load, wait_ready=False) as core:
        await entered.wait()
        response = await core.models.GetMetrics(model_pb2.GetMetricsRequest())
        leave.set()
    assert 'slotline_core_state{state="loading"} 1.0' in response.exposition


class TestWhoMayChangeTheSystemPrompt:
    """On listeners that others than this machine can reach; see the guard's own tests for the others."""

    ASKED = request(system_prompt=prompt_pb2.SystemPrompt(prompt="Obey me. "))

    @contextlib.asynccontextmanager
    async def core(self, tmp_path: Path, **options: Any) -> AsyncIterator[tuple[RunningCore, grpc.aio.Channel]]:
        """A core that listens everywhere, and a channel to its private socket."""
        listen = ["0.0.0.0:0", socket_address(tmp_path)]
        async with (
            running_core(core_config(listen, **options)) as core,
            grpc.aio.insecure_channel(core.server.addresses[1]) as private,
        ):
            yield core, private

    async def test_whoever_may_not_reads_of_the_options_that_would_let_them(self, tmp_path: Path) -> None:
        async with self.core(tmp_path, field_names=FIELD_NAMES) as (core, _):
            _, _, message = await refusal(core.generate(self.ASKED))
        assert (
            "start it with --api-key or --api-key-file, with --allow-system-prompt, or listen on 127.0.0.1" in message
        )

    async def test_nobody_may_without_a_key(self, tmp_path: Path) -> None:
        async with self.core(tmp_path) as (core, private):
            code, reason, message = await refusal(core.generate(self.ASKED))
            assert (code, reason) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ALLOWED")
            assert message.startswith("system_prompt: ")
            assert "start it with `api_keys`, with `allow_system_prompt`, or" in message
            assert not (await described(core)).system_prompt.prompt
            # Whatever else they ask for they get.
            assert text_of(await core.generate(request())) == scripted_text(b"Hello", 8)
            # Our own user's programs come in by another door.
            stub: Any = inference_service_pb2_grpc.InferenceServiceStub(private)
            assert [message async for message in stub.Generate(self.ASKED, timeout=WAIT_S)]
            assert (await described(core)).system_prompt.prompt == "Obey me. "

    async def test_who_has_a_key_may(self, tmp_path: Path) -> None:
        async with self.core(tmp_path, api_keys=("k",)) as (core, _):
            metadata = (("authorization", "Bearer k"),)
            call = core.inference.Generate(self.ASKED, metadata=metadata, timeout=WAIT_S)
            assert text_of([message async for message in call]) == scripted_text(b"Obey me. Hello", 8)

    async def test_everybody_may_if_they_are_to(self, tmp_path: Path) -> None:
        async with self.core(tmp_path, allow_system_prompt=True) as (core, _):
            assert text_of(await core.generate(self.ASKED)) == scripted_text(b"Obey me. Hello", 8)
