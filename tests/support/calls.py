"""Calls of a scripted core, and what they must give."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from service.testing.scripted_model import next_letter
from slotline.protocol.error_details import DETAILS_KEY
from slotline.v1 import generation_pb2, model_pb2, prompt_pb2, sampling_pb2, tokens_pb2
from tests.support.scripted_core import WAIT_S, RunningCore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GREEDY = sampling_pb2.SamplingParams(temperature=0, repeat_penalty=1)


def request(text: str = "Hello", max_tokens: int | None = 8, **fields: Any) -> generation_pb2.GenerateRequest:
    """A greedy request."""
    defaults: dict[str, Any] = {
        "text": text,
        "sampling": GREEDY,
        "stop": generation_pb2.StopParams(max_tokens=max_tokens),
    }
    return generation_pb2.GenerateRequest(**(defaults | fields))


def part(item: str | bytes | tuple[int, ...]) -> prompt_pb2.PromptPart:
    """A text, a picture or token ids."""
    match item:
        case str():
            return prompt_pb2.PromptPart(text=item)
        case bytes():
            return prompt_pb2.PromptPart(image=prompt_pb2.Image(data=item))
        case _:
            return prompt_pb2.PromptPart(token_ids=tokens_pb2.TokenIds(ids=item))


def scripted_text(prompt: Sequence[int], n_tokens: int) -> str:
    """What the scripted model says."""
    tokens = list(prompt)
    for _ in range(n_tokens):
        tokens.append(next_letter(tokens))
    return bytes(tokens[len(prompt) :]).decode()


def error_details(error: grpc.aio.AioRpcError) -> tuple[ErrorInfo, BadRequest, RetryInfo]:
    """The rich details of a failed call."""
    info, bad_request, retry = ErrorInfo(), BadRequest(), RetryInfo()
    trailers = dict(error.trailing_metadata() or ())
    for packed in Status.FromString(trailers[DETAILS_KEY]).details:
        for message in (info, bad_request, retry):
            packed.Unpack(message)
    return info, bad_request, retry


async def until(core: RunningCore, holds: Callable[[model_pb2.HealthResponse], bool]) -> model_pb2.HealthResponse:
    """Ask for Health until something holds."""
    async with asyncio.timeout(WAIT_S):
        while True:
            health = await core.models.Health(model_pb2.HealthRequest())
            if holds(health):
                return health


async def until_state(core: RunningCore, state: model_pb2.ServerState.ValueType) -> model_pb2.HealthResponse:
    """Wait until the core is in a state; what it says then."""
    return await until(core, lambda health: health.state == state)


async def until_idle(core: RunningCore) -> None:
    """Wait until no slot has a request and none waits."""
    await until(core, lambda health: health.slots_processing == 0 and health.queue_depth == 0)


async def refusal(call: Any) -> tuple[grpc.StatusCode, str, bool]:
    """Status, reason and whether a retry is advised of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    info, retry, has_retry = ErrorInfo(), RetryInfo(), False
    for packed in Status.FromString(dict(caught.value.trailing_metadata() or ())[DETAILS_KEY]).details:
        packed.Unpack(info)
        has_retry |= packed.Unpack(retry)
    return caught.value.code(), info.reason, has_retry
