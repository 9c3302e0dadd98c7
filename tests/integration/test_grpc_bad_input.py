"""Calls that break the protocol or every measure: each is refused by itself, and the core goes on."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from service.api.served_model import Limits
from service.api.server.core_server import RECEIVE_FACTOR
from slotline.v1 import (
    embedding_pb2,
    generation_pb2,
    inference_service_pb2,
    model_service_pb2,
    prompt_pb2,
    sampling_pb2,
    tokens_pb2,
)
from slotline.v1 import tokenization_pb2 as tokenization
from tests.support.calls import error_details, request, scripted_text, until_idle
from tests.support.scripted_core import WAIT_S, RunningCore, running_core, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

GENERATE = "/slotline.v1.InferenceService/Generate"
MARK = "the text that becomes something else"
MAX_PROMPT_BYTES = 10_000


@pytest.fixture
async def core() -> AsyncIterator[RunningCore]:
    """A core that takes short prompts only, and at the end still answers."""
    async with running_core(limits=Limits(max_prompt_bytes=MAX_PROMPT_BYTES)) as running:
        yield running
        await until_idle(running)
        assert text_of(await running.generate(request())) == scripted_text(b"Hello", 8)


async def refusal(core: RunningCore, data: bytes, path: str = GENERATE, **options: Any) -> grpc.aio.AioRpcError:
    """The error that a call with these bytes ends with."""
    call: Any = core.channel.unary_stream(path)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [message async for message in call(data, timeout=WAIT_S, **options)]
    return caught.value


#: Every method that takes one message, and two that are not ours.
METHODS = [
    *(
        f"/{service.full_name}/{method.name}"
        for service in (
            inference_service_pb2.DESCRIPTOR.services_by_name["InferenceService"],
            model_service_pb2.DESCRIPTOR.services_by_name["ModelService"],
        )
        for method in service.methods
    ),
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
]


def nested(depth: int) -> bytes:
    """A request whose field ``extra`` holds a Struct in a Struct, and so on."""

    def field(number: int, data: bytes) -> bytes:
        return tokens_pb2.TokenIds(ids=[number << 3 | 2, len(data)]).SerializeToString()[2:] + data

    data = b""
    for _ in range(depth):
        data = field(1, field(1, b"a") + field(2, field(5, data)))
    return field(17, data)


def assert_undecodable(error: grpc.aio.AioRpcError, caplog: pytest.LogCaptureFixture, path: str) -> None:
    """The caller's fault, said in its terms, and in one line of the log."""
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert f"request: is no message of {path}" in (error.details() or "")
    info, bad, _ = error_details(error)
    assert (info.domain, info.reason) == ("slotline", "INVALID_ARGUMENT")
    assert bad.field_violations[0].field == "request"
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.getMessage() == "a message cannot be decoded"
    assert record.exc_info is None


@pytest.mark.parametrize("path", METHODS)
async def test_bytes_that_are_no_message_of_a_method_are_refused(
    core: RunningCore, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    assert_undecodable(await refusal(core, b"\x12\x05ab", path), caplog, path)


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x0b" * 10_000, b"\x00\x00", nested(300)])
async def test_bytes_of_no_meaning_are_refused(
    core: RunningCore, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    assert_undecodable(await refusal(core, data), caplog, GENERATE)


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf", b"\xe2\x82"])
async def test_a_string_that_is_not_utf_8_is_no_message(
    core: RunningCore, caplog: pytest.LogCaptureFixture, text: bytes
) -> None:
    good = request(MARK).SerializeToString()
    assert MARK.encode() in good
    error = await refusal(core, good.replace(MARK.encode(), text.ljust(len(MARK), b"a")))
    assert_undecodable(error, caplog, GENERATE)


async def test_two_bytes_that_are_not_utf_8_are_no_text_to_tokenise(
    core: RunningCore, caplog: pytest.LogCaptureFixture
) -> None:
    path = "/slotline.v1.InferenceService/Tokenize"
    assert_undecodable(await refusal(core, b"\x12\x02\xc3\x28", path), caplog, path)


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_a_stream_of_requests_ends_at_one_that_cannot_be_decoded(
    core: RunningCore, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    call: Any = core.channel.stream_stream(path)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [message async for message in call(iter([b"\x3a\x00", b"\x3a\x05"]), timeout=WAIT_S)]
    assert_undecodable(caught.value, caplog, path)


async def test_fields_that_nobody_knows_are_passed_over(core: RunningCore) -> None:
    call: Any = core.channel.unary_stream(GENERATE, response_deserializer=generation_pb2.GenerateResponse.FromString)
    data = request().SerializeToString() + b"\xfa\x7f\x03abc"
    messages = [message async for message in call(data, timeout=WAIT_S)]
    assert text_of(messages) == scripted_text(b"Hello", 8)


@pytest.mark.parametrize("path", ["/slotline.v1.InferenceService/Nothing", "/slotline.v2.Nothing/Generate", "/", "/a"])
async def test_a_method_that_does_not_exist_is_unimplemented(core: RunningCore, path: str) -> None:
    error = await refusal(core, request().SerializeToString(), path)
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_above_the_limit_is_refused_before_it_is_read(core: RunningCore) -> None:
    error = await refusal(core, b"\0" * (RECEIVE_FACTOR * MAX_PROMPT_BYTES + 1))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert str(RECEIVE_FACTOR * MAX_PROMPT_BYTES) in (error.details() or "")


async def test_metadata_without_measure_is_refused(core: RunningCore) -> None:
    error = await refusal(core, request().SerializeToString(), metadata=(("x-long", "y" * 100_000),))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


DEEP_JSON = "[" * 8_000
MANY = 8_000


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"text": "x" * (MAX_PROMPT_BYTES + 1)}, "text"),
        ({"text": "", "token_ids": tokens_pb2.TokenIds(ids=[2**32 - 1])}, "token_ids.ids[0]"),
        ({"text": "", "parts": prompt_pb2.PromptParts(parts=[prompt_pb2.PromptPart()] * MANY)}, "parts"),
        ({"text": "", "chat": prompt_pb2.ChatPrompt(messages=[prompt_pb2.ChatMessage()] * MANY)}, "chat"),
        ({"text": "", "chat": prompt_pb2.ChatPrompt(template_kwargs_json=DEEP_JSON)}, "chat"),
        ({"constraint": generation_pb2.Constraint(gbnf="root ::= " + "(" * 8_000)}, "constraint.gbnf"),
        ({"constraint": generation_pb2.Constraint(gbnf="\0")}, "constraint.gbnf"),
        ({"stop": generation_pb2.StopParams(texts=["x"] * MANY)}, "stop.texts"),
        (
            {"sampling": sampling_pb2.SamplingParams(samplers=sampling_pb2.SamplerList(samplers=[1] * MANY))},  # type: ignore[list-item]
            "sampling.samplers.samplers",
        ),
        (
            {"sampling": sampling_pb2.SamplingParams(logit_bias=[sampling_pb2.LogitBias(token_id=2**31)] * 3)},
            "sampling.logit_bias[0].token_id",
        ),
        ({"num_sequences": 2**32 - 1}, "num_sequences"),
        ({"request_id": "\0" * 200}, "request_id"),
        ({"overflow": 99}, "overflow"),
    ],
)
async def test_a_value_beyond_measure_is_refused_by_name(core: RunningCore, fields: dict[str, Any], field: str) -> None:
    error = await refusal(core, request(**fields).SerializeToString())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    _, bad, _ = error_details(error)
    assert bad.field_violations[0].field.startswith(field)


async def test_inputs_and_ids_beyond_measure_are_refused(core: RunningCore) -> None:
    ids = tokens_pb2.TokenIds(ids=[97] * 8_000)
    for call in (
        core.inference.Embed(embedding_pb2.EmbedRequest(inputs=[embedding_pb2.EmbedInput(token_ids=ids)])),
        core.inference.Tokenize(tokenization.TokenizeRequest(text="x" * (MAX_PROMPT_BYTES + 1))),
        core.inference.Detokenize(tokenization.DetokenizeRequest(ids=[2**32 - 1])),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNIMPLEMENTED)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: test\r\n\r\n",
        b"\0" * 1000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI",
        b"",
    ],
)
async def test_what_is_not_http_2_ends_its_own_connection_only(core: RunningCore, data: bytes) -> None:
    host, _, port = core.server.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(WAIT_S):
        assert b"grpc-status" not in await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_clients_that_leave_in_the_middle_of_their_message_leave_nothing(core: RunningCore) -> None:
    call: Any = core.channel.stream_stream(GENERATE)
    calls = [call(timeout=WAIT_S) for _ in range(20)]
    for running in calls:
        await running.wait_for_connection()
        running.cancel()
    for running in calls:
        assert await running.code() is grpc.StatusCode.CANCELLED
