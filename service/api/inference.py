"""The data plane's servicer: each method checks, prepares in the pool, and answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from service.api.collector import Collector
from service.api.convert.events import StreamEncoder
from service.api.convert.request import envelope, generation_request
from service.api.convert.tokens import detokenize_response, tokenize_response
from service.api.core import Core
from service.api.rpc import RpcCall
from service.errors import DeadlineExceeded, NotImplementedFeature
from slotline.v1 import embedding_pb2, generation_pb2, inference_service_pb2_grpc, tokenization_pb2

if TYPE_CHECKING:
    from slotline.v1.inference_service_pb2_grpc import _ServicerContext as Context


class InferenceServicer(inference_service_pb2_grpc.InferenceServiceServicer):
    """``slotline.v1.InferenceService`` on a core."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def Generate(
        self, request: generation_pb2.GenerateRequest, context: Context
    ) -> AsyncIterator[generation_pb2.GenerateResponse]:
        """Stream a continuation; however the call ends, its slot is free at the engine's next step."""
        async with RpcCall("Generate", context):
            with self._core.admitted():
                remaining_s = context.time_remaining()
                if remaining_s is not None and remaining_s <= 0:
                    raise DeadlineExceeded("the request's deadline had passed before it was admitted")
                generation = await self._begin(request)
                try:
                    while not generation.collector.is_drained:
                        for message in generation.encoder.encode(await generation.collector.take()):
                            yield message
                finally:
                    generation.close()

    async def Embed(self, request: embedding_pb2.EmbedRequest, context: Context) -> embedding_pb2.EmbedResponse:
        """Not available."""
        async with RpcCall("Embed", context):
            raise NotImplementedFeature("Embed")

    async def Tokenize(
        self, request: tokenization_pb2.TokenizeRequest, context: Context
    ) -> tokenization_pb2.TokenizeResponse:
        """Token ids of a text."""
        async with RpcCall("Tokenize", context):
            job = partial(tokenize_response, request, self._core.model(request.model))
            return await self._core.pool.run(request.ByteSize(), job)

    async def Detokenize(
        self, request: tokenization_pb2.DetokenizeRequest, context: Context
    ) -> tokenization_pb2.DetokenizeResponse:
        """Text of token ids."""
        async with RpcCall("Detokenize", context):
            job = partial(detokenize_response, request, self._core.model(request.model))
            return await self._core.pool.run(request.ByteSize(), job)

    async def _begin(self, request: generation_pb2.GenerateRequest) -> _Generation:
        model = self._core.model(request.model)
        wrapping = envelope(request)
        prepared = await self._core.pool.run(request.ByteSize(), partial(generation_request, request, model))
        task_id = self._core.next_task_id()
        collector = Collector(on_stall=partial(self._core.cancel, task_id), delay_s=wrapping.delta_delay_s)
        self._core.submit(task_id, prepared, collector)
        encoder = StreamEncoder(prepared, model, wrapping.request_id, self._core.instance_id, task_id)
        return _Generation(self._core, task_id, collector, encoder)


@dataclass(frozen=True, slots=True)
class _Generation:
    """A submitted request."""

    core: Core
    task_id: int
    collector: Collector
    encoder: StreamEncoder

    def close(self) -> None:
        """Free the slot, unless the request has ended by itself."""
        if not self.collector.is_over:
            self.core.cancel(self.task_id)
        self.collector.close()
