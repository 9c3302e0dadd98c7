"""What both routes for scores do: get them in as many calls as necessary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rest_adapter.apis.common.pairs import Query, Scores
from rest_adapter.apis.serving.calls_in_turn import CallsInTurn
from rest_adapter.apis.serving.limits import served_model
from rest_adapter.core.calls import RERANK
from rest_adapter.errors import RpcFailure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rest_adapter.apis.serving.app_context import AppContext
    from slotline.v1.rerank_pb2 import RerankRequest, RerankResponse

_DOCUMENT = re.compile(r"documents\[(\d+)\]")


def score(context: AppContext, queries: Sequence[Query]) -> Scores:
    """The scores of all texts, those of each query in order. The calls end if the client leaves.

    Raises:
        AdapterError: the core refused or failed, or there are too many requests.
        StreamClosed: the client has gone.
    """
    with context.limiter.slot(), CallsInTurn(context.core, RERANK, context.config.request_timeout_s) as calls:
        model = served_model(context.core)
        size = model.limits.max_batch_embed or 1
        answers = [
            _ask(calls, query, start, start + size)
            for query in queries
            for start in range(0, len(query.documents), size)
        ]
    return Scores(
        model.name,
        [value for answer in answers for value in answer.scores],
        sum(answer.usage.prompt_tokens for answer in answers),
    )


def _ask(calls: CallsInTurn[RerankRequest, RerankResponse], query: Query, start: int, end: int) -> RerankResponse:
    try:
        return calls.call(query.request(start, end))
    except RpcFailure as failure:
        raise _renamed(failure, query, start) from failure


def _renamed(failure: RpcFailure, query: Query, start: int) -> RpcFailure:
    """A failure that names the fields of the body instead of those of the message."""

    def rename(path: str) -> str:
        place = _DOCUMENT.fullmatch(path)
        if place is not None:
            return query.document_fields[start + int(place[1])]
        return query.field if path == "query" else path

    return failure.renamed(rename)
