"""A core without a model: every running stream gets one token per step, all at the same moment, as from the engine.

Started as ``python -m bench.harness.paced_core ADDRESS STEP_MS``. What is measured on an adapter in front of it does
not depend on the speed of a model, nor on how many cores that keeps busy.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from slotline.v1 import generation_pb2, model_pb2, tokens_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: A request with this stop text is accepted and gets no token until its client leaves.
SILENCE = "<silence>"

_WORDS = (" the", " garden", " of", " a", '"', "\n", " émigré", " walked", ".", " and")


async def serve(address: str, step_s: float) -> None:
    """Serve at a gRPC address, ``step_s`` seconds from step to step, until cancelled."""
    steps = _Steps(step_s)
    server = grpc.aio.server(handlers=_handlers(steps))
    server.add_insecure_port(address)
    await server.start()
    await steps.run()


class _Steps:
    """Moments at equal distances, at each of which all who wait go on."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._next = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            # Late steps do not make the later ones come faster than they should.
            due = max(due + self._step_s, loop.time())
            await asyncio.sleep(due - loop.time())
            waiting, self._next = self._next, asyncio.Event()
            waiting.set()

    async def wait(self) -> None:
        await self._next.wait()


async def _generate(
    steps: _Steps, request: generation_pb2.GenerateRequest, context: object
) -> AsyncIterator[generation_pb2.GenerateResponse]:
    yield generation_pb2.GenerateResponse(accepted=generation_pb2.Accepted(model="paced", prompt_tokens=1))
    if SILENCE in request.stop.texts:
        await asyncio.Event().wait()
    n_tokens = request.stop.max_tokens
    for number in range(n_tokens):
        await steps.wait()
        piece = generation_pb2.Piece(text=_WORDS[number % len(_WORDS)])
        yield generation_pb2.GenerateResponse(delta=generation_pb2.Delta(pieces=[piece]))
    finished = generation_pb2.Finished(
        reason=generation_pb2.FINISH_REASON_LENGTH,
        usage=tokens_pb2.Usage(prompt_tokens=1, completion_tokens=n_tokens),
        tokens_evaluated=1,
        tokens_predicted=n_tokens,
    )
    yield generation_pb2.GenerateResponse(finished=finished)


async def _health(request: model_pb2.HealthRequest, context: object) -> model_pb2.HealthResponse:
    return model_pb2.HealthResponse(state=model_pb2.SERVER_STATE_READY, slots_idle=1)


async def _list_slots(request: model_pb2.ListSlotsRequest, context: object) -> model_pb2.ListSlotsResponse:
    return model_pb2.ListSlotsResponse()


def _handlers(steps: _Steps) -> tuple[grpc.GenericRpcHandler, ...]:
    """What an adapter calls while it streams or tells its health; every other method is unimplemented."""
    generate = grpc.unary_stream_rpc_method_handler(
        partial(_generate, steps),
        request_deserializer=generation_pb2.GenerateRequest.FromString,
        response_serializer=generation_pb2.GenerateResponse.SerializeToString,
    )
    health = grpc.unary_unary_rpc_method_handler(
        _health,
        request_deserializer=model_pb2.HealthRequest.FromString,
        response_serializer=model_pb2.HealthResponse.SerializeToString,
    )
    list_slots = grpc.unary_unary_rpc_method_handler(
        _list_slots,
        request_deserializer=model_pb2.ListSlotsRequest.FromString,
        response_serializer=model_pb2.ListSlotsResponse.SerializeToString,
    )
    return (
        grpc.method_handlers_generic_handler("slotline.v1.InferenceService", {"Generate": generate}),
        grpc.method_handlers_generic_handler("slotline.v1.ModelService", {"Health": health, "ListSlots": list_slots}),
    )


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], float(sys.argv[2]) / 1000))
