"""The core on the default model: text, templates, concurrency, cancellation."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from service.api.server.core_server import CoreServer
from service.api.server.llama import with_known_context
from service.config import CoreConfig, ModelConfig
from slotline.cli.default_model import default_model_path
from slotline.client import AsyncClient
from slotline.v1 import generation_pb2, model_pb2
from tests.support.scripted_core import WAIT_S, RunningCore, started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRANCE = "The capital of France is"
CHAT = [{"role": "user", "content": "What is 2+2?"}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def core() -> AsyncIterator[RunningCore]:
    """One core for all tests here: four slots of 256 tokens; one thread, because threads that wait for each other on
    a busy machine take many times longer."""
    model = ModelConfig(
        path=str(default_model_path()), n_ctx=1024, n_parallel=4, n_threads=1, n_threads_batch=1, embedding=True
    )
    async with started(CoreServer(CoreConfig(model=model, alias="smollm2", listen=("127.0.0.1:0",)))) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(core: RunningCore) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(core.server.addresses[0], deadline_s=4 * WAIT_S) as connected:
        yield connected


async def test_the_model_describes_itself(client: AsyncClient) -> None:
    (model,) = await client.models()
    assert model.name == "smollm2"
    assert model.family == "llama"
    assert model.vocab_size == 49152
    assert model.context_length == 256
    assert model.training_context_length > 256
    assert model.embedding_dim == 576
    assert model.n_params > 130_000_000
    assert "<|im_start|>" in model.chat_template
    assert 2 in model.eog_token_ids


async def test_tokens_become_the_same_text_again(client: AsyncClient) -> None:
    for text in (FRANCE, "naïve 😀 漢字\n\ttabs", " " * 30, "<|im_start|>", "\0"):
        ids = await client.tokenize(text, parse_special=False)
        assert await client.detokenize(ids) == text
    assert await client.tokenize("<|im_start|>") == [1]
    assert await client.detokenize([1]) == ""
    assert await client.detokenize([1], skip_special=False) == "<|im_start|>"


async def test_a_conversation_is_rendered_with_the_models_own_template(client: AsyncClient) -> None:
    assert len(await client.tokenize(CHAT)) == 37
    completion = await client.complete(CHAT, max_tokens=1)
    assert completion.usage.prompt_tokens == 37
    question = [{"role": "user", "content": "What is the capital of France?"}]
    completion = await client.complete(question, max_tokens=16, temperature=0)
    assert "Paris" in completion.text


async def test_greedy_text_makes_sense_and_is_stable(client: AsyncClient) -> None:
    answers = [
        await client.complete(FRANCE, max_tokens=3, temperature=0, cache_prompt=cache) for cache in (False, True, True)
    ]
    assert "Paris" in answers[0].text
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[-1].usage.cached_prompt_tokens > 0


async def test_a_seed_gives_the_same_text_again(client: AsyncClient) -> None:
    async def draw(seed: int) -> str:
        answer = await client.complete("Once upon a time", max_tokens=8, temperature=1.5, seed=seed, cache_prompt=False)
        assert answer.finished.settings.sampling.seed == seed
        return answer.text

    assert await draw(7) == await draw(7)
    assert len({await draw(seed) for seed in range(4)}) > 1


async def test_streamed_text_is_the_text_and_whole_characters_only(client: AsyncClient) -> None:
    generation = client.generate("Emoji: 😀😃😄", max_tokens=24, temperature=0, ignore_eos=True, tokens=True)
    texts = [text async for text in generation]
    completion = generation.completion
    assert "".join(texts) == completion.text
    assert b"".join(token.piece for token in completion.tokens).decode(errors="replace") == completion.text
    assert completion.usage.completion_tokens == 24 == len(completion.tokens)


async def test_four_streams_progress_side_by_side(client: AsyncClient) -> None:
    started: set[int] = set()
    all_started = asyncio.Event()

    async def stream(number: int) -> str:
        texts = []
        generation = client.generate(f"Story number {number}:", max_tokens=40, ignore_eos=True, seed=number)
        async for text in generation:
            texts.append(text)
            started.add(number)
            if len(started) == 4:
                all_started.set()
        # Nobody was finished before everybody had begun.
        assert all_started.is_set()
        assert generation.completion.usage.completion_tokens == 40
        return "".join(texts)

    answers = await asyncio.gather(*(stream(number) for number in range(4)))
    assert len(set(answers)) == 4


async def test_a_cancelled_stream_frees_its_slot(core: RunningCore, client: AsyncClient) -> None:
    async with client.generate("Count:", max_tokens=200, ignore_eos=True) as generation:
        await anext(aiter(generation))
    async with asyncio.timeout(WAIT_S):
        while (await client.health()).slots_processing:
            pass
    slots = (await core.models.ListSlots(model_pb2.ListSlotsRequest())).slots
    assert all(slot.tokens_predicted < 200 for slot in slots)


async def test_probabilities_come_with_their_pieces(client: AsyncClient) -> None:
    answer = await client.complete(FRANCE, max_tokens=3, temperature=0, n_probs=4, top_logprobs=5)
    for token in answer.tokens:
        assert len(token.top_logprobs) == 5
        assert token.top_logprobs[0].id == token.id
        assert [entry.logprob for entry in token.top_logprobs] == sorted(
            (entry.logprob for entry in token.top_logprobs), reverse=True
        )
        assert len(token.probabilities) == 4


async def test_a_long_prompt_is_truncated_on_request(client: AsyncClient) -> None:
    answer = await client.complete("word " * 1000, max_tokens=4, truncate=True)
    assert answer.accepted.truncated
    assert answer.usage.prompt_tokens < 256
    assert answer.finished.reason == generation_pb2.FINISH_REASON_LENGTH


@pytest.mark.parametrize(("n_ctx", "n_ctx_slot"), [(0, 2048), (100, 25)])
async def test_a_context_of_zero_cells_is_what_the_model_was_trained_with(n_ctx: int, n_ctx_slot: int) -> None:
    config = CoreConfig(model=ModelConfig(path=str(default_model_path()), n_ctx=n_ctx, n_parallel=4))
    assert with_known_context(config).engine.n_ctx_slot == n_ctx_slot


async def test_a_model_file_that_cannot_be_read_fails_when_it_is_loaded_not_before() -> None:
    config = CoreConfig(model=ModelConfig(path="/nowhere/model.gguf", n_ctx=0), listen=("127.0.0.1:0",))
    server = CoreServer(with_known_context(config))
    await server.start()
    try:
        async with AsyncClient(server.addresses[0], deadline_s=WAIT_S) as connected:
            while (health := await connected.health()).state != model_pb2.SERVER_STATE_FAILED:
                pass
        assert "/nowhere/model.gguf" in health.message
    finally:
        assert await server.stop()


async def test_a_choice_is_made_among_the_given_texts(client: AsyncClient) -> None:
    texts = ["Paris", "Par", 'Berlin\nand "more" \\', "漢字 😀"]
    request = generation_pb2.GenerateRequest(
        text=f"{FRANCE} ", constraint=generation_pb2.Constraint(choice=generation_pb2.Choices(texts=texts))
    )
    request.sampling.temperature = 100.0
    request.sampling.top_k = 0
    request.sampling.top_p = 1.0
    request.sampling.min_p = 0.0
    found = set()
    for seed in range(12):
        request.sampling.seed = seed
        completion = await client.complete(request)
        assert completion.finished.reason == generation_pb2.FINISH_REASON_STOP
        found.add(completion.text)
    assert found <= set(texts)
    assert len(found) > 1


async def test_several_continuations_of_one_prompt_differ_and_count_it_once(client: AsyncClient) -> None:
    completion = await client.complete(
        "Once upon a time", max_tokens=12, temperature=1.5, seed=7, num_sequences=6, ignore_eos=True
    )
    assert len(completion.continuations) == 6
    assert len({continuation.text for continuation in completion.continuations}) > 1
    assert [continuation.finished.settings.sampling.seed for continuation in completion.continuations] == [
        *range(7, 13)
    ]
    assert completion.usage.prompt_tokens == len(await client.tokenize("Once upon a time"))
    assert completion.usage.completion_tokens == 72


async def test_a_system_prompt_changes_answers_until_it_is_removed(client: AsyncClient) -> None:
    async def answer(**options: Any) -> str:
        return (await client.complete(FRANCE, max_tokens=2, temperature=0, **options)).text

    plain = await answer()
    system = "The capital of France is Lyon. The capital of France is Lyon. "
    behind = await answer(system_prompt=system)
    (model,) = await client.models()
    assert model.system_prompt.prompt == system
    assert "Lyon" in behind
    assert await answer() == behind
    assert await answer(system_prompt="") == plain


async def test_texts_that_mean_the_same_have_similar_vectors(client: AsyncClient) -> None:
    texts = ["The cat sleeps on the sofa.", "A cat is sleeping on the couch.", "Stock markets fell sharply today."]
    cat, couch, stocks = await client.embed(texts)
    (model,) = await client.models()
    assert len(cat) == model.embedding_dim == 576

    def likeness(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert likeness(cat, cat) == pytest.approx(1, abs=1e-4)
    assert likeness(cat, couch) > likeness(cat, stocks)
    alone = await client.embed([await client.tokenize(texts[0])])
    assert likeness(cat, alone[0]) > 0.999
