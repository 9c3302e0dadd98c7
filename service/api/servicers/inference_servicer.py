"""The data plane's servicer: each method checks, prepares, and answers."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from service.api.convert.echo import without_pictures
from service.api.convert.embedding import embedding_request
from service.api.convert.events import StreamEncoder
from service.api.convert.pictures import picture_bytes
from service.api.convert.quick import (
    is_constrained,
    is_quick_detokenization,
    is_quick_embedding,
    is_quick_generation,
    is_quick_tokenization,
)
from service.api.convert.request import envelope, generation_request
from service.api.convert.rerank import rerank_request, rerank_response
from service.api.convert.tokens import detokenize_response, prompt_text, tokenize_response
from service.api.convert.vectors import embed_response
from service.api.core.collector import Collector
from service.api.guard.system_prompt_guard import SystemPromptGuard
from service.api.guard.tenants import Tenants, salted
from service.api.rpc.call import RpcCall
from service.api.rpc.priority import priority_of
from service.config import Pooling
from service.engine.request.events import Embedded, Event
from service.errors import DeadlineExceeded
from slotline.v1 import embedding_pb2, generation_pb2, inference_service_pb2_grpc, rerank_pb2, tokenization_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from service.api.core.core import Core
    from service.engine.language_model import Rows
    from service.engine.request.requests import EmbeddingRequest, Request
    from slotline.v1.inference_service_pb2_grpc import _ServicerContext as Context


class InferenceServicer(inference_service_pb2_grpc.InferenceServiceServicer):
    """``slotline.v1.InferenceService`` on a core.

    Args:
        core: answers.
        tenants: finds out whose call it is; by default there is one tenant.
        system_prompt_guard: decides who may change the system prompt; by default everybody.
    """

    def __init__(
        self, core: Core, tenants: Tenants | None = None, system_prompt_guard: SystemPromptGuard | None = None
    ) -> None:
        self._core = core
        self._tenants = tenants or Tenants()
        self._system_prompt_guard = system_prompt_guard or SystemPromptGuard()

    async def Generate(
        self, request: generation_pb2.GenerateRequest, context: Context
    ) -> AsyncIterator[generation_pb2.GenerateResponse]:
        """Stream a continuation; however the call ends, its slot is free at the engine's next step."""
        async with RpcCall("Generate", context, field_names=self._core.field_names):
            with self._admitted(context):
                model, wrapping = self._core.model(request.model), envelope(request)
                metadata = context.invocation_metadata()
                if request.HasField("system_prompt"):
                    self._system_prompt_guard.check(context.peer())
                priority, tenant = priority_of(metadata), self._tenants.tenant_of(metadata)
                salt = salted(tenant, request.cache.cache_salt)
                self._core.check_queue()
                in_force = self._core.snapshot().system_prompt
                n_bytes = picture_bytes(request) if model.pictures is not None else 0
                prepared, shown, prompt = await self._core.pool.run(
                    request.ByteSize() - n_bytes,
                    lambda work: (
                        made := generation_request(request, model.paced(work, salt), in_force),
                        without_pictures(request) if made.media else request,
                        prompt_text(made.prompt, model, work) if request.output.prompt_text else "",
                    ),
                    is_chat=request.HasField("chat"),
                    is_constrained=is_constrained(request),
                    is_quick=is_quick_generation(request, model.sampling),
                    picture_bytes=n_bytes,
                )
                # From here on, nobody holds the bytes of pictures.
                request = shown
                prepared = replace(prepared, priority=priority, tenant=tenant, cache_salt=salt)
                task_id = self._core.next_task_id()
                collector = Collector(on_stall=partial(self._core.cancel, task_id), delay_s=wrapping.delta_delay_s)
                instance_id = self._core.instance_id
                encoder = StreamEncoder(prepared, model, wrapping.request_id, instance_id, task_id, prompt)
                with self._core.received.known(task_id, shown), self._submitted(task_id, prepared, collector):
                    while not collector.is_drained:
                        events = await collector.take()
                        if encoder.is_heavy:
                            async for message in _made_aside(encoder, events):
                                yield message
                        else:
                            for message in encoder.encode(events):
                                yield message

    async def Embed(self, request: embedding_pb2.EmbedRequest, context: Context) -> embedding_pb2.EmbedResponse:
        """One vector per input; however the call ends, the engine is rid of it at its next step."""
        async with RpcCall("Embed", context, field_names=self._core.field_names):
            with self._admitted(context):
                model, is_quick = self._core.model(request.model), is_quick_embedding(request)
                self._core.check_queue()
                n_bytes = picture_bytes(request) if model.pictures is not None else 0
                salt = self._salt(context) if model.pictures is not None else ""
                prepared = await self._core.pool.run(
                    request.ByteSize() - n_bytes,
                    lambda work: embedding_request(request, model.paced(work, salt)),
                    is_quick=is_quick,
                    picture_bytes=n_bytes,
                )
                vectors = await self._vectors(prepared)
                pooling = model.info.pooling
                if is_quick and pooling is not Pooling.NONE:
                    return embed_response(request, prepared, vectors, pooling)
                return await asyncio.to_thread(embed_response, request, prepared, vectors, pooling)

    async def Rerank(self, request: rerank_pb2.RerankRequest, context: Context) -> rerank_pb2.RerankResponse:
        """One score per document; however the call ends, the engine is rid of it at its next step."""
        async with RpcCall("Rerank", context, field_names=self._core.field_names):
            with self._admitted(context):
                model = self._core.model(request.model)
                self._core.check_queue()
                prepared = await self._core.pool.run(
                    request.ByteSize(), lambda work: rerank_request(request, model.paced(work))
                )
                return rerank_response(request, prepared, await self._vectors(prepared), model.info)

    async def Tokenize(
        self, request: tokenization_pb2.TokenizeRequest, context: Context
    ) -> tokenization_pb2.TokenizeResponse:
        """Token ids of a text."""
        async with RpcCall("Tokenize", context):
            model = self._core.model(request.model)
            n_bytes = picture_bytes(request) if model.pictures is not None else 0
            salt = self._salt(context) if model.pictures is not None else ""
            return await self._core.pool.run(
                request.ByteSize() - n_bytes,
                lambda work: tokenize_response(request, model.paced(work, salt), work),
                is_chat=request.HasField("chat"),
                is_quick=is_quick_tokenization(request),
                picture_bytes=n_bytes,
            )

    async def Detokenize(
        self, request: tokenization_pb2.DetokenizeRequest, context: Context
    ) -> tokenization_pb2.DetokenizeResponse:
        """Text of token ids."""
        async with RpcCall("Detokenize", context):
            model = self._core.model(request.model)
            return await self._core.pool.run(
                request.ByteSize(),
                lambda work: detokenize_response(request, model, work),
                is_quick=is_quick_detokenization(request),
            )

    def _salt(self, context: Context) -> str:
        """The salt of a call that brings none of its own."""
        return salted(self._tenants.tenant_of(context.invocation_metadata()), "")

    async def _vectors(self, request: EmbeddingRequest) -> Rows:
        """What the engine makes of inputs: float32, a row for each, or one for each of their tokens."""
        embedded = await self._core.outcome(request)
        assert isinstance(embedded, Embedded)
        return embedded.vectors

    @contextmanager
    def _admitted(self, context: Context) -> Iterator[None]:
        """A block in which a call counts among those that a drain waits for.

        Raises:
            Draining: the core takes no new requests.
            DeadlineExceeded: nobody waits for the answer any more.
        """
        with self._core.admitted():
            remaining_s = context.time_remaining()
            if remaining_s is not None and remaining_s <= 0:
                raise DeadlineExceeded("the request's deadline had passed before it was admitted")
            yield

    @contextmanager
    def _submitted(self, task_id: int, request: Request, collector: Collector) -> Iterator[None]:
        """A block in which a request is the engine's; it is cancelled at the end unless it has ended by then."""
        self._core.submit(task_id, request, collector)
        try:
            yield
        finally:
            if not collector.is_over:
                self._core.cancel(task_id)
            collector.close()


async def _made_aside(encoder: StreamEncoder, events: list[Event]) -> AsyncIterator[generation_pb2.GenerateResponse]:
    """The messages for a batch of events, made in another thread, so that the loop can serve others."""
    messages = encoder.encode(events)
    while (message := await asyncio.to_thread(next, messages, None)) is not None:
        yield message
