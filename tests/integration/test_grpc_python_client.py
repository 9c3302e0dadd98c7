"""The Python client against a real core."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import pytest

from service.api.server.core_server import CoreServer
from service.config import ModelConfig
from service.llama.loader import load
from slotline.client import AsyncClient, Client, SlotlineError
from slotline.client.requests import vectors_of
from slotline.v1 import generation_pb2, model_pb2
from slotline.v1.embedding_pb2 import Embedding, EmbedResponse, TokenVector
from tests.support.calls import until_idle
from tests.support.minilm_gguf import write_tiny_encoder
from tests.support.scripted_core import WAIT_S, Gate, RunningCore, core_config, load_scripted, running_core, started
from tests.support.tiny_ranker import RANKER, expected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

T = TypeVar("T")
CHAT = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def core(gate: Gate) -> AsyncIterator[RunningCore]:
    async with running_core(load=load_scripted(gate.script)) as running:
        yield running
        gate.open()


async def blocking(core: RunningCore, work: Callable[[Client], T]) -> T:
    """Use the blocking client in a thread; the core lives on this loop."""

    def run() -> T:
        with Client(core.server.addresses[0], deadline_s=WAIT_S) as client:
            return work(client)

    return await asyncio.to_thread(run)


class TestBlocking:
    """``Client``."""

    async def test_streams_text_and_has_the_whole_answer_at_the_end(self, core: RunningCore) -> None:
        def work(client: Client) -> None:
            generation = client.generate("Hello", max_tokens=8, temperature=0)
            texts = list(generation)
            assert "" not in texts
            completion = generation.completion
            assert completion.text == "".join(texts)
            assert len(completion.text) == 8
            assert completion.finish_reason == "length"
            assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (5, 8)
            assert completion.accepted.model == "scripted"
            assert client.complete("Hello", max_tokens=8, temperature=0).text == completion.text

        await blocking(core, work)

    async def test_completes_every_form_of_prompt(self, core: RunningCore) -> None:
        def work(client: Client) -> None:
            complete = partial(client.complete, max_tokens=4, temperature=0)
            assert complete("Hi").text == complete([72, 105]).text
            assert complete(CHAT).usage.prompt_tokens == len("<user>Hi<assistant>")
            request = generation_pb2.GenerateRequest(text="Hi", stop=generation_pb2.StopParams(max_tokens=1))
            assert client.complete(request).usage.completion_tokens == 1

        await blocking(core, work)

    async def test_gives_token_records_and_bare_messages(self, core: RunningCore) -> None:
        def work(client: Client) -> None:
            completion = client.complete("Hello", max_tokens=3, temperature=0, top_logprobs=1)
            assert bytes(token.id for token in completion.tokens).decode() == completion.text
            kinds = [message.WhichOneof("event") for message in client.generate("Hello", max_tokens=1).messages()]
            assert kinds == ["accepted", "delta", "finished"]

        await blocking(core, work)

    async def test_gives_records_of_the_prompt_without_generating(self, core: RunningCore) -> None:
        def work(client: Client) -> None:
            completion = client.complete("Hello", max_tokens=0, prompt_logprobs=True, top_logprobs=2)
            assert b"".join(token.piece for token in completion.prompt) == b"Hello"
            first, *others = completion.prompt
            assert not first.HasField("logprob")
            assert all(token.HasField("logprob") and token.rank >= 1 for token in others)
            assert all(len(token.top_logprobs) == 2 for token in others)
            assert (completion.text, completion.usage.completion_tokens) == ("", 0)

        await blocking(core, work)

    async def test_asks_for_everything_else(self, core: RunningCore) -> None:
        def work(client: Client) -> None:
            assert client.tokenize("ab") == [97, 98]
            assert client.tokenize("<eos>", parse_special=False) == list(b"<eos>")
            assert client.tokenize(CHAT) == list(b"<user>Hi<assistant>")
            assert client.detokenize([97, 257]) == "a"
            assert client.detokenize([97, 257], skip_special=False) == "a<eos>"
            assert [model.name for model in client.models()] == ["scripted"]
            assert client.health().state == model_pb2.SERVER_STATE_READY

        await blocking(core, work)

    async def test_gives_several_continuations(self, core: RunningCore) -> None:
        def work(client: Client) -> None:
            completion = client.complete("Hello", max_tokens=4, temperature=0, num_sequences=3)
            assert [one.text for one in completion.continuations] == [completion.text] * 3
            assert completion.usage.completion_tokens == 12

        await blocking(core, work)

    async def test_turns_refusals_into_errors(self, core: RunningCore) -> None:
        def work(client: Client) -> None:
            with pytest.raises(SlotlineError) as caught:
                client.complete("Hello", top_p=float("nan"))
            error = caught.value
            assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
            assert error.violations == (("sampling.top_p", "is nan; allowed is any finite number"),)
            assert error.retry_after_s is None
            with pytest.raises(SlotlineError, match="MODEL_NOT_FOUND") as caught:
                client.complete("Hello", model="other")
            assert caught.value.metadata == {"model": "other"}
            with pytest.raises(SlotlineError, match="INVALID_ARGUMENT: ids"):
                client.detokenize([999])

        await blocking(core, work)

    async def test_cancelling_frees_the_slot_and_ends_quietly(self, core: RunningCore, gate: Gate) -> None:
        gate.close(after=3)

        def work(client: Client) -> str:
            with client.generate("Hello", max_tokens=200) as generation:
                first = next(iter(generation))
                generation.cancel()
                assert list(generation) == []
            with pytest.raises(RuntimeError, match="not complete"):
                _ = generation.completion
            return first

        assert await blocking(core, work)
        gate.open()
        await until_idle(core)

    async def test_keeps_deadlines(self, core: RunningCore, gate: Gate) -> None:
        gate.close()

        def work(client: Client) -> None:
            with pytest.raises(SlotlineError) as caught:
                client.complete("Hello", deadline_s=0.2)
            assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED

        await blocking(core, work)

    def test_without_a_core_says_that_none_can_be_reached(self) -> None:
        with Client("127.0.0.1:1") as client, pytest.raises(SlotlineError) as caught:
            client.health(deadline_s=WAIT_S)
        assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.UNAVAILABLE, "")


class TestAsync:
    """``AsyncClient``."""

    @pytest.fixture
    async def client(self, core: RunningCore) -> AsyncIterator[AsyncClient]:
        async with AsyncClient(core.server.addresses[0], deadline_s=WAIT_S) as client:
            yield client

    async def test_streams_and_completes(self, client: AsyncClient) -> None:
        generation = client.generate("Hello", max_tokens=8, temperature=0)
        texts = [text async for text in generation]
        assert generation.completion.text == "".join(texts)
        assert (await client.complete("Hello", max_tokens=8, temperature=0)).text == "".join(texts)
        kinds = [message.WhichOneof("event") async for message in client.generate("Hello", max_tokens=1).messages()]
        assert kinds == ["accepted", "delta", "finished"]

    async def test_asks_for_everything_else(self, client: AsyncClient) -> None:
        assert await client.tokenize("ab", add_special=True) == [97, 98]
        assert await client.detokenize([97, 257], skip_special=False) == "a<eos>"
        assert [model.name for model in await client.models()] == ["scripted"]
        assert (await client.health()).state == model_pb2.SERVER_STATE_READY

    async def test_turns_refusals_into_errors(self, client: AsyncClient) -> None:
        with pytest.raises(SlotlineError, match=r"sampling\.top_p: is nan") as caught:
            await client.complete("Hello", top_p=float("nan"))
        assert caught.value.reason == "INVALID_ARGUMENT"
        with pytest.raises(SlotlineError, match="MODEL_NOT_FOUND"):
            await client.complete("Hello", model="other")
        with pytest.raises(SlotlineError, match="INVALID_ARGUMENT: ids"):
            await client.detokenize([999])

    async def test_cancelling_frees_the_slot_and_ends_quietly(
        self, core: RunningCore, client: AsyncClient, gate: Gate
    ) -> None:
        gate.close(after=3)
        async with client.generate("Hello", max_tokens=200) as generation:
            async for text in generation:
                assert text
                generation.cancel()
        gate.open()
        await until_idle(core)

    async def test_a_cancelled_task_stays_cancelled(self, core: RunningCore, client: AsyncClient, gate: Gate) -> None:
        gate.close()
        task = asyncio.ensure_future(client.complete("Hello"))
        assert await asyncio.to_thread(gate.reached.wait, WAIT_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.open()
        await until_idle(core)

    async def test_keeps_deadlines(self, client: AsyncClient, gate: Gate) -> None:
        gate.close()
        with pytest.raises(SlotlineError) as caught:
            await client.complete("Hello", deadline_s=0.2)
        assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_an_api_key_is_sent_as_a_bearer_token() -> None:
    seen: list[Any] = []

    class Recorder(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            seen.append(dict(details.invocation_metadata).get("authorization"))
            return await continuation(details)

    server = grpc.aio.server(interceptors=[Recorder()])
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        async with AsyncClient(address, api_key="secret") as client:
            with pytest.raises(SlotlineError):
                await client.health()
        async with AsyncClient(address) as client:
            with pytest.raises(SlotlineError):
                await client.health()
    finally:
        await server.stop(None)
    assert seen == ["Bearer secret", None]


async def test_both_clients_rank(tmp_path: Path) -> None:
    path = write_tiny_encoder(tmp_path / "ranker.gguf", RANKER)
    documents = ["world", "hello", "a " * 40]
    async with started(CoreServer(core_config(model=ModelConfig(path=str(path), n_ctx=0)), load=load)) as core:
        scores = await blocking(
            core, lambda client: client.rerank("hello", [*documents[:2], "a b c"], max_document_tokens=2)
        )
        assert scores == pytest.approx([expected("hello", one)[0] for one in ("world", "hello", "a b")], abs=1e-2)
        async with AsyncClient(core.server.addresses[0], deadline_s=WAIT_S) as client:
            assert await client.rerank("hello", ["world", "hello"]) == pytest.approx(scores[:2], abs=1e-2)
            cut = await client.rerank("hello", documents, truncation="start", normalize=True)
            assert all(0 < score < 1 for score in cut)
            with pytest.raises(SlotlineError, match=r"documents\[2\]"):
                await client.rerank("hello", documents)
            with pytest.raises(ValueError, match="'start', 'end'"):
                await client.rerank("hello", documents, truncation="middle")  # type: ignore[arg-type]


def test_vectors_of_tokens_are_not_taken_for_those_of_texts() -> None:
    response = EmbedResponse(embeddings=[Embedding(token_vectors=[TokenVector(values=[1.0])])])
    with pytest.raises(ValueError, match="--pooling none"):
        vectors_of(response)


async def test_both_clients_embed() -> None:
    model = ModelConfig(path="/models/scripted.gguf", n_ctx=512, n_parallel=2, embedding=True)
    async with running_core(core_config(model=model)) as core:
        raw = await blocking(core, lambda client: client.embed(["ab", [97, 98]], normalize=False))
        async with AsyncClient(core.server.addresses[0], deadline_s=WAIT_S) as client:
            assert await client.embed(["ab", [97, 98]], normalize=False) == raw
            (unit,) = await client.embed(["ab"])
    assert raw[0] == raw[1]
    assert sum(value * value for value in unit) == pytest.approx(1)
