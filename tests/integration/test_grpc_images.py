"""Pictures over gRPC, on the scripted model and with an encoder that tests can hold."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc.aio
import numpy as np
import pytest

from service.config import MediaOptions, ModelConfig
from service.errors import Draining, ImageWorkerLost, ProjectorFailed, QueueFull
from service.media.encoder import MediaCounts, ProjectorFacts, WorkerState
from service.testing.scripted_media import numbers
from service.testing.scripted_model import N_EMBD
from slotline.v1 import embedding_pb2, generation_pb2, model_pb2, prompt_pb2, tokenization_pb2
from tests.support import pictures
from tests.support.calls import (
    GREEDY,
    error_details,
    part,
    refusal,
    request,
    scripted_text,
    until,
    until_idle,
    until_state,
)
from tests.support.fake_encoder import BAD, N_TOKENS, FakeEncoder, encoded
from tests.support.scripted_core import (
    WAIT_S,
    Gate,
    RunningCore,
    ScriptedLoadedEncoder,
    core_config,
    load_scripted,
    running_core,
    text_of,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from service.api.served_model import LoadedModel

RED, BLUE = b"\x89PNG\r\n\x1a\nred", b"blue"


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
async def core(encoder: FakeEncoder) -> AsyncIterator[RunningCore]:
    config = core_config(model=ModelConfig(path="/models/scripted.gguf", n_ctx=512, n_parallel=2, embedding=True))
    async with running_core(config, encoder=encoder) as running:
        yield running
        encoder.release()


def parts(*items: str | bytes, **fields: Any) -> generation_pb2.GenerateRequest:
    """A request whose prompt is texts and pictures."""
    return asked(parts=prompt_pb2.PromptParts(parts=[part(item) for item in items]), **fields)


def asked(**fields: Any) -> generation_pb2.GenerateRequest:
    """A greedy request with any form of prompt."""
    return generation_pb2.GenerateRequest(
        **{"sampling": GREEDY, "stop": generation_pb2.StopParams(max_tokens=8), **fields}
    )


def prompt_of(*items: str | bytes) -> list[int]:
    """What the scripted model sees of them."""
    seen: list[int] = []
    for item in items:
        seen += item.encode() if isinstance(item, str) else numbers(pictures.prompt_of(*encoded(item)))
    return seen


async def test_a_prompt_with_pictures_is_answered(core: RunningCore) -> None:
    answer = await core.generate(parts("a ", RED, " b ", BLUE))
    assert text_of(answer) == scripted_text(prompt_of("a ", RED, " b ", BLUE), 8)
    assert answer[0].accepted.takes_images
    usage = answer[-1].finished.usage
    assert (usage.prompt_tokens, usage.image_tokens) == (2 + 3 + 2 * N_TOKENS, 2 * N_TOKENS)
    assert usage.completion_tokens == 8


async def test_prompts_without_pictures_say_nothing_of_them(core: RunningCore) -> None:
    answer = await core.generate(request("Hello"))
    assert not answer[-1].finished.usage.HasField("image_tokens")
    assert answer[0].accepted.takes_images


async def test_a_conversation_with_pictures_is_answered(core: RunningCore) -> None:
    chat = prompt_pb2.ChatPrompt(
        messages=[prompt_pb2.ChatMessage(role="user", content=[part("see"), part(RED), part("?")])]
    )
    answer = await core.generate(asked(chat=chat))
    assert text_of(answer) == scripted_text(prompt_of("<user>see", RED, "?<assistant>"), 8)
    applied = await core.models.ApplyTemplate(model_pb2.ApplyTemplateRequest(chat=chat))
    assert applied.text == "<user>see<__image__>?<assistant>"
    counted = await core.inference.Tokenize(tokenization_pb2.TokenizeRequest(chat=chat))
    assert (counted.count, list(counted.ids)) == (answer[-1].finished.usage.prompt_tokens, [])


async def test_several_answers_share_a_picture(core: RunningCore, encoder: FakeEncoder) -> None:
    answer = await core.generate(parts("a", RED, num_sequences=2))
    texts = ["", ""]
    for message in answer:
        texts[message.delta.index] += "".join(piece.text for piece in message.delta.pieces)
    assert texts == [scripted_text(prompt_of("a", RED), 8)] * 2
    assert len(encoder.files) == 1


async def test_what_was_encoded_is_shared_inside_a_tenant_and_a_salt_only(
    core: RunningCore, encoder: FakeEncoder
) -> None:
    for salt in ("", "one", "two", "one"):
        await core.generate(parts(RED, cache=generation_pb2.CacheOptions(cache_salt=salt)))
    none, one, two, again = encoder.salts
    assert again == one
    assert len({none, one, two}) == 3
    picture = prompt_pb2.PromptParts(parts=[part(RED)])
    await core.inference.Tokenize(tokenization_pb2.TokenizeRequest(parts=picture))
    await core.inference.Embed(embedding_pb2.EmbedRequest(inputs=[embedding_pb2.EmbedInput(parts=picture)]))
    assert encoder.salts[4:] == [none, none]


async def test_pictures_are_embedded_with_their_texts(core: RunningCore) -> None:
    inputs = [
        embedding_pb2.EmbedInput(parts=prompt_pb2.PromptParts(parts=[part("a"), part(RED)])),
        embedding_pb2.EmbedInput(parts=prompt_pb2.PromptParts(parts=[part("a"), part(BLUE)])),
        embedding_pb2.EmbedInput(text="a"),
    ]
    response = await core.inference.Embed(embedding_pb2.EmbedRequest(inputs=inputs))
    assert (response.usage.prompt_tokens, response.usage.image_tokens) == (3 + 2 * N_TOKENS, 2 * N_TOKENS)
    vectors = [np.array(one.values) for one in response.embeddings]
    assert not np.allclose(vectors[0], vectors[1])
    text = await core.inference.Embed(embedding_pb2.EmbedRequest(inputs=inputs[2:]))
    assert not text.usage.HasField("image_tokens")


async def test_a_prompt_seen_before_is_cached_with_its_pictures(core: RunningCore) -> None:
    await core.generate(parts("a ", RED, " what"))
    usage = (await core.generate(parts("a ", RED, " why")))[-1].finished.usage
    assert usage.cached_prompt_tokens == 2 + N_TOKENS + len(" wh")
    usage = (await core.generate(parts("a ", BLUE, " why")))[-1].finished.usage
    # The token that opens a picture is the same for both.
    assert usage.cached_prompt_tokens == 2 + 1


@pytest.mark.parametrize(
    ("items", "field", "problem"),
    [
        ((RED,) * 3, "parts.parts[2].image", "is one picture too many; a request may have 2"),
        ((b"a" * 101,), "parts.parts[0].image", "has 101 bytes; allowed are at most 100"),
        ((b"a" * 80, b"b" * 80), "parts.parts[1].image", "160 bytes; allowed are at most 150 in all"),
        (("a", BAD), "parts.parts[1].image", "is no picture; allowed are pictures"),
        (("a" * 300, RED), "prompt", "has 306 tokens, 6 of them for pictures"),
    ],
)
async def test_what_is_not_allowed_is_refused_with_its_path(
    encoder: FakeEncoder, items: tuple[str | bytes, ...], field: str, problem: str
) -> None:
    limits = MediaOptions(max_images=2, max_image_bytes=100, max_request_image_bytes=150)
    async with running_core(core_config(media=limits), encoder=encoder) as core:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await core.generate(parts(*items))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        _, bad_request, _ = error_details(caught.value)
        assert bad_request.field_violations[0].field == field
        assert problem in bad_request.field_violations[0].description
        assert text_of(await core.generate(parts(RED))) == scripted_text(prompt_of(RED), 8)


async def test_pictures_beyond_the_limit_reach_the_check_that_says_so(core: RunningCore, encoder: FakeEncoder) -> None:
    large = bytes(20 << 20)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await core.generate(parts(large, large))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "parts.parts[1].image: is too much" in (caught.value.details() or "")
    assert not encoder.files


async def test_a_model_without_a_projector_says_which_option_is_missing() -> None:
    async with running_core(core_config(field_names={"mmproj": "--mmproj"})) as core:
        assert await refusal(core.generate(parts(RED))) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED", False)
        with pytest.raises(grpc.aio.AioRpcError, match=r"parts\.parts\[0\]\.image: .*; set --mmproj, the projector"):
            await core.generate(parts(RED))
        answer = await core.generate(request("Hello"))
        assert not answer[0].accepted.takes_images


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (QueueFull(32, 2.0), (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", True)),
        (ImageWorkerLost("it was lost"), (grpc.StatusCode.UNAVAILABLE, "IMAGE_WORKER_LOST", True)),
    ],
)
async def test_failures_of_the_encoder_are_told_and_pass(
    core: RunningCore, encoder: FakeEncoder, error: Exception, expected: tuple[grpc.StatusCode, str, bool]
) -> None:
    def fail() -> None:
        raise error

    encoder.fail = fail
    assert await refusal(core.generate(parts(RED))) == expected
    encoder.fail = lambda: None
    assert text_of(await core.generate(parts(RED))) == scripted_text(prompt_of(RED), 8)


async def held_call(core: RunningCore, encoder: FakeEncoder) -> Any:
    """A call whose picture is being encoded, until the encoder is released."""
    encoder.hold()
    call: Any = core.inference.Generate(parts("a", RED), timeout=WAIT_S)
    assert await asyncio.to_thread(encoder.waiting.wait, WAIT_S)
    return call


async def test_texts_do_not_wait_for_pictures(core: RunningCore, encoder: FakeEncoder) -> None:
    call = await held_call(core, encoder)
    others = [core.inference.Generate(parts("b", BLUE), timeout=WAIT_S) for _ in range(20)]
    chat = prompt_pb2.ChatPrompt(messages=[prompt_pb2.ChatMessage(role="user", content=[part("Hi")])])
    assert text_of(await core.generate(request("Hello" * 40))) == scripted_text(b"Hello" * 40, 8)
    assert text_of(await core.generate(asked(chat=chat))) == scripted_text(b"<user>Hi<assistant>", 8)
    assert (await core.models.Health(model_pb2.HealthRequest())).slots_processing == 0
    encoder.release()
    assert text_of([message async for message in call]) == scripted_text(prompt_of("a", RED), 8)
    for other in others:
        assert text_of([message async for message in other]) == scripted_text(prompt_of("b", BLUE), 8)


async def test_a_call_that_ends_ends_its_encoding(core: RunningCore, encoder: FakeEncoder) -> None:
    call = await held_call(core, encoder)
    call.cancel()
    await asyncio.to_thread(wait_until, "the encoder has stopped", lambda: encoder.n_stopped > 0)
    await until_idle(core)
    encoder.release()
    assert text_of(await core.generate(parts(RED))) == scripted_text(prompt_of(RED), 8)


async def test_a_deadline_ends_encoding(core: RunningCore, encoder: FakeEncoder) -> None:
    encoder.hold()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await core.inference.Embed(
            embedding_pb2.EmbedRequest(
                inputs=[embedding_pb2.EmbedInput(parts=prompt_pb2.PromptParts(parts=[part(RED)]))]
            ),
            timeout=0.2,
        )
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.to_thread(wait_until, "the encoder has stopped", lambda: encoder.n_stopped > 0)


async def test_a_drain_waits_for_pictures_that_are_encoded(core: RunningCore, encoder: FakeEncoder) -> None:
    call = await held_call(core, encoder)
    draining = asyncio.ensure_future(core.server.drain())
    await until_state(core, model_pb2.SERVER_STATE_DRAINING)
    assert await refusal(core.generate(parts(RED))) == (grpc.StatusCode.UNAVAILABLE, "DRAINING", True)
    encoder.release()
    assert text_of([message async for message in call]) == scripted_text(prompt_of("a", RED), 8)
    await draining


async def test_the_end_of_a_core_ends_encoding(core: RunningCore, encoder: FakeEncoder) -> None:
    call = await held_call(core, encoder)
    failed = asyncio.ensure_future(refusal(call.read()))
    assert await core.server.stop()
    assert await failed == (grpc.StatusCode.UNAVAILABLE, "DRAINING", True)
    assert encoder.is_closed


async def test_slots_show_what_a_picture_is_and_never_its_bytes(encoder: FakeEncoder) -> None:
    gate = Gate()
    async with running_core(load=load_scripted(gate.script, n_embd_input=N_EMBD), encoder=encoder) as core:
        gate.close(after=1)
        call: Any = core.inference.Generate(parts("a", RED), timeout=WAIT_S)
        assert (await call.read()).HasField("accepted")
        slots = (await core.models.ListSlots(model_pb2.ListSlotsRequest())).slots
        (shown,) = [slot for slot in slots if slot.state != model_pb2.SLOT_STATE_IDLE]
        gate.open()
        assert [one.WhichOneof("part") for one in shown.parts.parts] == ["text", "image"]
        image = shown.parts.parts[1].image
        assert image == prompt_pb2.Image(size_bytes=len(RED), format="png", sha256=hashlib.sha256(RED).hexdigest())
        assert shown.prompt_tokens == 1 + N_TOKENS
        await call.read()
        call.cancel()


async def test_a_picture_behind_thousands_of_parts_is_one_as_well(core: RunningCore, encoder: FakeEncoder) -> None:
    """Where it is prepared depends on the first few thousand parts alone."""
    prompt = prompt_pb2.PromptParts(parts=[*[part("")] * 5000, part("a"), part(RED)])
    answer = await core.generate(asked(parts=prompt))
    assert text_of(answer) == scripted_text(prompt_of("a", RED), 8)
    assert answer[-1].finished.usage.image_tokens == N_TOKENS
    assert encoder.files == [[RED]]


async def test_the_model_says_which_pictures_it_takes(core: RunningCore, encoder: FakeEncoder) -> None:
    model = (await core.models.GetModel(model_pb2.GetModelRequest())).model
    assert model.capabilities.vision
    assert (model.images.projector_type, model.images.max_images) == ("fake", 16)
    encoder.state = WorkerState.BUSY
    encoder.media_counts = MediaCounts(n_encoded=3)
    health = await core.models.Health(model_pb2.HealthRequest())
    assert health.image_worker == model_pb2.IMAGE_WORKER_STATE_BUSY
    metrics = await core.models.GetMetrics(model_pb2.GetMetricsRequest())
    assert "slotline_images_encoded_total 3.0" in metrics.exposition


FACTS = FakeEncoder().facts


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        (
            replace(FACTS, n_embd=N_EMBD + 1),
            f"makes rows of {N_EMBD + 1} numbers, but this model takes rows of {N_EMBD}",
        ),
        (replace(FACTS, has_grid=True), "places its rows in a grid, which this model does not know"),
        (replace(FACTS, max_whole=100_000), "set `n_batch` to at least 100000"),
    ],
)
async def test_a_projector_of_another_model_is_refused_at_start(
    encoder: FakeEncoder, facts: ProjectorFacts, problem: str
) -> None:
    encoder.facts = facts
    async with running_core(encoder=encoder, wait_ready=False) as core:
        health = await until_state(core, model_pb2.SERVER_STATE_FAILED)
        assert problem in health.message
    assert encoder.is_closed


async def test_a_projector_beside_a_model_for_embeddings_is_refused_at_start(encoder: FakeEncoder) -> None:
    def load(config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
        return ScriptedLoadedEncoder()

    async with running_core(load=load, encoder=encoder, wait_ready=False) as core:
        health = await until_state(core, model_pb2.SERVER_STATE_FAILED)
        assert health.message == (
            "`mmproj` is of no use: this model takes no pictures; it turns texts into embeddings only"
        )
        assert health.image_worker == model_pb2.IMAGE_WORKER_STATE_FAILED
    assert not encoder.is_started


async def test_a_core_is_stopped_while_its_projector_is_tried_out(encoder: FakeEncoder) -> None:
    starting = threading.Event()

    def wait() -> None:
        starting.set()
        encoder.wait_until_closed()
        raise Draining

    encoder.fail_start = wait
    async with running_core(encoder=encoder, wait_ready=False) as core:
        assert await asyncio.to_thread(starting.wait, WAIT_S)
        health = await core.models.Health(model_pb2.HealthRequest())
        assert health.state == model_pb2.SERVER_STATE_LOADING
        assert await core.server.stop()
    assert encoder.is_closed


async def test_a_projector_that_cannot_be_used_is_told_as_a_model_that_cannot(encoder: FakeEncoder) -> None:
    def fail() -> None:
        raise ProjectorFailed("projector file p.gguf is damaged")

    encoder.fail_start = fail
    async with running_core(encoder=encoder, wait_ready=False) as core:
        health = await until(core, lambda health: health.state == model_pb2.SERVER_STATE_FAILED)
        assert health.message == "projector file p.gguf is damaged"
