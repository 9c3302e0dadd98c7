"""What both routes for embeddings do: get the vectors in as many calls as necessary, and answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rest_adapter.apis.common.embedding_call import EmbeddingCall, rename_fields, with_pictures
from rest_adapter.apis.common.vectors import Vectors
from rest_adapter.apis.serving.calls_in_turn import CallsInTurn
from rest_adapter.apis.serving.limits import served_model, shorter
from rest_adapter.apis.serving.pictures import placed_pictures
from rest_adapter.core.calls import EMBED
from rest_adapter.errors import RpcFailure
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
        StreamClosed: the client has gone.
    """
    if call.images:
        call = placed_pictures(context, call, with_pictures)
    with context.limiter.slot():
        vectors = _vectors(context, call)
    return long_json_response(context.writing.run(lambda: list(joined(parts(call, vectors)))))


def _vectors(context: AppContext, call: EmbeddingCall) -> Vectors:
    size = len(call.inputs)
    limit_s = shorter(call.timeout_s, context.config.request_timeout_s)
    with CallsInTurn(context.core, EMBED, limit_s) as calls:
        if size > 1:
            size = served_model(context.core).limits.max_batch_embed or size
        answers = [_embed(calls, call, start, start + size) for start in range(0, len(call.inputs), size)]
    return Vectors(
        [embedding for answer in answers for embedding in answer.embeddings],
        sum(answer.usage.prompt_tokens for answer in answers),
    )


def _embed(calls: CallsInTurn[EmbedRequest, EmbedResponse], call: EmbeddingCall, start: int, end: int) -> EmbedResponse:
    try:
        return calls.call(call.request(start, end))
    except RpcFailure as failure:
        raise rename_fields(failure, call, start) from failure
