"""Pictures over gRPC on the default model, with a projector that sees colours and the process that encodes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio

from service.api.server.core_server import CoreServer
from service.config import CoreConfig, MediaOptions, ModelConfig
from slotline.protocol.metadata import TENANT
from slotline.v1 import embedding_pb2, generation_pb2, model_pb2, prompt_pb2, sampling_pb2, tokenization_pb2
from tests.support.calls import part, refusal, until, until_idle
from tests.support.image_files import encoded
from tests.support.likeliest import are_alike
from tests.support.scripted_core import WAIT_S, RunningCore, started, text_of
from tests.support.seeing_model import PRIMARY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.support.seeing_model import Projector, SeeingModels

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIKELIEST = generation_pb2.OutputOptions(top_logprobs=5)
QUESTION = "\nQuestion: What colour is the picture?\nAnswer: The picture is"


@pytest.fixture(scope="module")
def projector(seeing: SeeingModels) -> Projector:
    return seeing.projector()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def core(projector: Projector) -> AsyncIterator[RunningCore]:
    """One core for all tests here: four slots that share 256 cells."""
    model = ModelConfig(
        path=str(projector.text_model), n_ctx=256, n_parallel=4, n_threads=1, n_threads_batch=1, embedding=True
    )
    config = CoreConfig(
        model=model,
        media=MediaOptions(mmproj=str(projector.path)),
        alias="seeing",
        listen=("127.0.0.1:0",),
        kv_unified=True,
    )
    async with started(CoreServer(config)) as running:
        yield running


def parts(*items: str | bytes) -> prompt_pb2.PromptParts:
    """Texts and pictures in order."""
    return prompt_pb2.PromptParts(parts=map(part, items))


def asked(max_tokens: int = 6, **fields: Any) -> generation_pb2.GenerateRequest:
    """A greedy request."""
    return generation_pb2.GenerateRequest(
        sampling=sampling_pb2.SamplingParams(temperature=0),
        stop=generation_pb2.StopParams(max_tokens=max_tokens),
        **fields,
    )


def likeliest(answer: Sequence[generation_pb2.GenerateResponse]) -> dict[int, float]:
    """The likeliest first tokens of an answer, and their log-probabilities."""
    record = next(token for message in answer for piece in message.delta.pieces for token in piece.tokens)
    return {candidate.id: candidate.logprob for candidate in record.top_logprobs}


async def metrics(core: RunningCore) -> dict[str, float]:
    """What is counted of pictures."""
    text = (await core.models.GetMetrics(model_pb2.GetMetricsRequest())).exposition
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("slotline_image"))
    return {name: float(value) for name, value in lines}


async def test_the_model_says_which_pictures_it_takes(core: RunningCore) -> None:
    model = (await core.models.GetModel(model_pb2.GetModelRequest())).model
    assert model.capabilities.vision
    assert (model.images.projector_type, model.images.min_tokens, model.images.max_tokens) == ("mlp", 4, 4)
    health = await core.models.Health(model_pb2.HealthRequest())
    assert health.image_worker == model_pb2.IMAGE_WORKER_STATE_IDLE


@pytest.mark.parametrize("colour", PRIMARY)
async def test_a_picture_is_named(core: RunningCore, projector: Projector, colour: str) -> None:
    picture = encoded(projector.draw(colour))
    answer = await core.generate(asked(parts=parts("A picture:", picture, QUESTION)))
    assert text_of(answer).startswith(f" {colour}")
    chat = prompt_pb2.ChatPrompt(
        messages=[
            prompt_pb2.ChatMessage(
                role="user",
                content=[part(picture), part("What is the color of the picture? Answer with one word.")],
            ),
            prompt_pb2.ChatMessage(role="assistant", content=[part("The color of the picture is")]),
        ],
        continue_final_message=True,
    )
    answer = await core.generate(asked(chat=chat))
    assert colour in text_of(answer)
    counted = await core.inference.Tokenize(tokenization_pb2.TokenizeRequest(chat=chat, add_special=True))
    assert counted.count == answer[-1].finished.usage.prompt_tokens
    literal = await core.generate(asked(chat=chat, parse_special=False))
    assert colour in text_of(literal)
    assert literal[-1].finished.usage.prompt_tokens == counted.count


async def test_a_picture_answers_as_its_words_do(core: RunningCore, projector: Projector) -> None:
    seen = await core.generate(
        asked(parts=parts("The car is", encoded(projector.draw("red blue", "blue red")), ". Then"), output=LIKELIEST)
    )
    told = await core.generate(asked(text="The car is red blue blue red. Then", output=LIKELIEST))
    assert are_alike(likeliest(seen), likeliest(told))
    assert seen[-1].finished.usage.prompt_tokens == told[-1].finished.usage.prompt_tokens


async def test_a_picture_seen_before_is_neither_encoded_nor_evaluated_again(
    core: RunningCore, projector: Projector
) -> None:
    picture = encoded(projector.draw("green red", "red green"))
    request = asked(parts=parts("Once there was", picture, " and"), output=LIKELIEST)
    before = await metrics(core)
    first = await core.generate(request)
    between = await metrics(core)
    again = await core.generate(request)
    after = await metrics(core)
    assert between["slotline_images_encoded_total"] == before["slotline_images_encoded_total"] + 1
    assert after["slotline_images_encoded_total"] == between["slotline_images_encoded_total"]
    assert after["slotline_image_hits_total"] == between["slotline_image_hits_total"] + 1
    assert are_alike(likeliest(again), likeliest(first))
    usage = again[-1].finished.usage
    assert usage.cached_prompt_tokens >= usage.prompt_tokens - 1


async def test_tenants_share_no_evaluated_picture(core: RunningCore, projector: Projector) -> None:
    request = asked(parts=parts("Long ago", encoded(projector.draw("blue red", "red red")), " and"))

    async def cached_for(tenant: str) -> int:
        call: Any = core.inference.Generate(request, timeout=WAIT_S, metadata=((TENANT, tenant),))
        messages = [message async for message in call]
        return int(messages[-1].finished.usage.cached_prompt_tokens)

    assert await cached_for("one") == 0
    assert await cached_for("one") > 0
    assert await cached_for("two") == 0


async def test_several_answers_and_many_requests_share_a_picture(core: RunningCore, projector: Projector) -> None:
    picture = encoded(projector.draw("yellow"))
    before = await metrics(core)
    request = asked(parts=parts("A picture:", picture, QUESTION), num_sequences=3)
    answers = await asyncio.gather(*(core.generate(request) for _ in range(4)))
    after = await metrics(core)
    texts = [
        "".join(piece.text for message in answer if message.delta.index == index for piece in message.delta.pieces)
        for answer in answers
        for index in range(3)
    ]
    assert len(set(texts)) == 1
    assert after["slotline_images_encoded_total"] == before["slotline_images_encoded_total"] + 1


async def test_sequences_with_pictures_give_way_and_go_on(core: RunningCore, projector: Projector) -> None:
    """All four together need more cells than there are."""

    def request(number: int) -> generation_pb2.GenerateRequest:
        lines = ("red green", "blue red") if number % 2 else ("green blue", "red red")
        picture = encoded(projector.draw(*lines))
        return asked(
            70,
            parts=parts(f"Story {number}:", picture, " begins"),
            cache=generation_pb2.CacheOptions(cache_prompt=False),
        )

    requests = [request(number) for number in range(4)]
    for one in requests:
        one.sampling.ignore_eos = True
    answers = await asyncio.gather(*(core.generate(one) for one in requests))
    assert [answer[-1].finished.usage.completion_tokens for answer in answers] == [70] * 4
    text = (await core.models.GetMetrics(model_pb2.GetMetricsRequest())).exposition
    (line,) = (line for line in text.splitlines() if line.startswith("slotline_preemptions_total"))
    assert float(line.rsplit(" ", 1)[1]) > 0


async def test_pictures_are_embedded_as_their_words(core: RunningCore, projector: Projector) -> None:
    inputs = [
        embedding_pb2.EmbedInput(parts=parts("The car is", encoded(projector.draw("red blue", "blue red")), "!")),
        embedding_pb2.EmbedInput(text="The car is red blue blue red!"),
        embedding_pb2.EmbedInput(text="The car is blue red red blue!"),
    ]
    response = await core.inference.Embed(embedding_pb2.EmbedRequest(inputs=inputs), timeout=WAIT_S)
    seen, told, other = (np.array(one.values) for one in response.embeddings)
    assert seen @ told > 0.9999 > told @ other
    assert response.usage.image_tokens == 4


async def test_a_client_that_leaves_while_its_picture_is_decoded_frees_the_process(core: RunningCore) -> None:
    large = encoded(np.zeros((6300, 6300, 3), np.uint8))
    before = await metrics(core)
    call: Any = core.inference.Generate(asked(parts=parts(large, "?")), timeout=WAIT_S)
    read = asyncio.ensure_future(call.read())
    await until(core, lambda health: health.image_worker == model_pb2.IMAGE_WORKER_STATE_BUSY)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await read
    await until(core, lambda health: health.image_worker == model_pb2.IMAGE_WORKER_STATE_IDLE)
    await until_idle(core)
    assert (await metrics(core))["slotline_images_waiting"] == 0
    assert (await metrics(core))["slotline_images_encoded_total"] == before["slotline_images_encoded_total"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"hello", "is no picture of a known format; allowed are PNG, JPEG, WebP, GIF and BMP"),
        (encoded(np.zeros((16, 16, 3), np.uint8))[:50], "is damaged"),
        (encoded(np.zeros((7000, 7000, 3), np.uint8)), "has 7000 x 7000 pixels"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_with_its_path(
    core: RunningCore, data: bytes, problem: str
) -> None:
    with pytest.raises(Exception, match=rf"parts\.parts\[1\]\.image: {problem}"):
        await core.generate(asked(parts=parts("a", data)))
    _, reason, _ = await refusal(core.generate(asked(parts=parts("a", data))))
    assert reason == "INVALID_ARGUMENT"
