"""What both routes for scores do: get them in as many calls as necessary."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from flask import request

from rest_adapter.apis.common.pairs import Query, Scores
from rest_adapter.apis.serving.limits import served_model
from rest_adapter.core.calls import RERANK, PendingAnswer
from rest_adapter.errors import RpcFailure, StreamClosed
from rest_adapter.http.disconnect import SOCKET_KEY, DisconnectWatch
from slotline.v1.rerank_pb2 import RerankRequest, RerankResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rest_adapter.apis.serving.app_context import AppContext

_DOCUMENT = re.compile(r"documents\[(\d+)\]")


def score(context: AppContext, queries: Sequence[Query]) -> Scores:
    """The scores of all texts, those of each query in order. The calls end if the client leaves.

    Raises:
        AdapterError: the core refused or failed, or there are too many requests.
        StreamClosed: the client has gone.
    """
    with context.limiter.slot():
        return _Scorer(context).run(queries)


class _Scorer:
    """Gets the scores of one body from the core, in calls with as many texts as the core takes."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        limit_s = context.config.request_timeout_s
        self._end = None if limit_s is None else time.monotonic() + limit_s
        self._pending: PendingAnswer[RerankResponse] | None = None
        self._is_abandoned = False

    def run(self, queries: Sequence[Query]) -> Scores:
        model = served_model(self._context.core)
        size = model.limits.max_batch_embed or 1
        with DisconnectWatch(request.environ.get(SOCKET_KEY), self._abandon):
            answers = [
                self._ask(query, start, start + size)
                for query in queries
                for start in range(0, len(query.documents), size)
            ]
        return Scores(
            model.name,
            [value for answer in answers for value in answer.scores],
            sum(answer.usage.prompt_tokens for answer in answers),
        )

    def _ask(self, query: Query, start: int, end: int) -> RerankResponse:
        if self._is_abandoned:
            raise StreamClosed
        timeout_s = None if self._end is None else max(0.0, self._end - time.monotonic())
        message = RerankRequest(query=query.text, documents=query.documents[start:end])
        self._pending = self._context.core.start(RERANK, message, timeout_s=timeout_s)
        try:
            return self._pending.wait()
        except RpcFailure as failure:
            raise _renamed(failure, query, start) from failure
        finally:
            self._pending.close()

    def _abandon(self) -> None:
        self._is_abandoned = True
        if self._pending is not None:
            self._pending.close()


def _renamed(failure: RpcFailure, query: Query, start: int) -> RpcFailure:
    """A failure that names the fields of the body instead of those of the message."""

    def rename(path: str) -> str:
        place = _DOCUMENT.fullmatch(path)
        if place is not None:
            return query.document_fields[start + int(place[1])]
        return query.field if path == "query" else path

    return failure.renamed(rename)
