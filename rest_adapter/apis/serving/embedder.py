"""What both routes for embeddings do: get the vectors in as many calls as necessary, and answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from flask import request

from rest_adapter.apis.common.embedding_call import EmbeddingCall, rename_fields, with_pictures
from rest_adapter.apis.common.vectors import Vectors
from rest_adapter.apis.serving.limits import served_model, shorter
from rest_adapter.apis.serving.pictures import placed_pictures
from rest_adapter.core.calls import EMBED, PendingAnswer
from rest_adapter.errors import RpcFailure, StreamClosed
from rest_adapter.http.disconnect import SOCKET_KEY, DisconnectWatch
from rest_adapter.http.responses import long_json_response
from rest_adapter.json.encoding import joined

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer
    from slotline.v1.embedding_pb2 import EmbedRequest, EmbedResponse

_Parts = Callable[[EmbeddingCall, Vectors], Iterator[bytes]]


def answer_embedding(context: AppContext, call: EmbeddingCall, parts: _Parts) -> Answer:
    """Get the vectors of one body and answer it.

    Args:
        context: what the routes share.
        call: the body.
        parts: makes the answer from the vectors.

    Raises:
        AdapterError: the core refused or failed, or there are too many requests.
    """
    if call.images:
        call = placed_pictures(context, call, with_pictures)
    with context.limiter.slot():
        vectors = _Embedder(context, call).run()
    return long_json_response(context.writing.run(lambda: list(joined(parts(call, vectors)))))


class _Embedder:
    """Gets the vectors of one body from the core, in calls with as many inputs as the core takes."""

    def __init__(self, context: AppContext, call: EmbeddingCall) -> None:
        self._context = context
        self._call = call
        limit_s = shorter(call.timeout_s, context.config.request_timeout_s)
        self._end = None if limit_s is None else time.monotonic() + limit_s
        self._pending: PendingAnswer[EmbedResponse] | None = None
        self._is_abandoned = False

    def run(self) -> Vectors:
        """Wait for all vectors.

        Raises:
            RpcFailure: the core refused or failed.
            StreamClosed: the client has gone.
        """
        inputs = self._call.inputs
        size = len(inputs)
        if size > 1:
            size = served_model(self._context.core).limits.max_batch_embed or size
        with DisconnectWatch(request.environ.get(SOCKET_KEY), self._abandon):
            answers = [
                self._embed(start, self._call.request(start, start + size)) for start in range(0, len(inputs), size)
            ]
        return Vectors(
            [embedding for answer in answers for embedding in answer.embeddings],
            sum(answer.usage.prompt_tokens for answer in answers),
        )

    def _embed(self, first: int, message: EmbedRequest) -> EmbedResponse:
        if self._is_abandoned:
            raise StreamClosed
        timeout_s = None if self._end is None else max(0.0, self._end - time.monotonic())
        self._pending = self._context.core.start(EMBED, message, timeout_s=timeout_s)
        try:
            return self._pending.wait()
        except RpcFailure as failure:
            raise rename_fields(failure, self._call, first) from failure
        finally:
            self._pending.close()

    def _abandon(self) -> None:
        self._is_abandoned = True
        if self._pending is not None:
            self._pending.close()
