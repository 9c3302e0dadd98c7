"""A core without a model, as a process: each line on its standard input gives one more token to every stream.

Started as ``python -m tests.counts.lockstep_core ADDRESS``; prints an empty line once it listens, and ends with its
standard input.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from slotline.v1 import generation_pb2
from tests.support.fake_core import accepted, delta, finished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Between the messages of a request for one token, which waits for no step, so that none of them comes with another.
PAUSE_S = 0.02


def token(number: int) -> str:
    """The text of a stream's token."""
    return f" {number:04}"


class _Steps:
    """How many steps were allowed."""

    def __init__(self) -> None:
        self._n_allowed = 0
        self._changed = asyncio.Event()

    def allow(self) -> None:
        self._n_allowed += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait_for(self, n_steps: int) -> None:
        while self._n_allowed < n_steps:
            await self._changed.wait()


async def serve(address: str) -> None:
    """Serve until the standard input ends."""
    steps = _Steps()

    async def generate(
        request: generation_pb2.GenerateRequest, context: Any
    ) -> AsyncIterator[generation_pb2.GenerateResponse]:
        n_tokens = request.stop.max_tokens
        yield accepted()
        for number in range(n_tokens):
            await (steps.wait_for(number + 1) if n_tokens > 1 else asyncio.sleep(PAUSE_S))
            yield delta(token(number))
        await asyncio.sleep(PAUSE_S)
        yield finished(n_tokens)
        await asyncio.sleep(PAUSE_S)

    handler = grpc.unary_stream_rpc_method_handler(
        generate,
        request_deserializer=generation_pb2.GenerateRequest.FromString,
        response_serializer=generation_pb2.GenerateResponse.SerializeToString,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("slotline.v1.InferenceService", {"Generate": handler}),)
    )
    server.add_insecure_port(address)
    await server.start()
    print(flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        steps.allow()
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
