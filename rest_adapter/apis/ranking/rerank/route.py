"""POST /rerank and POST /v2/rerank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.ranking.rerank.reply import rerank_reply
from rest_adapter.apis.ranking.rerank.request import read_rerank
from rest_adapter.apis.serving.reading import read_body
from rest_adapter.apis.serving.scorer import score
from rest_adapter.http.responses import Answer, json_response

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext


def rerank(context: AppContext) -> Answer:
    """Texts in the order of their relevance."""
    return _answer(context, "1")


def rerank_v2(context: AppContext) -> Answer:
    """The same in version 2 of Cohere's API."""
    return _answer(context, "2")


def _answer(context: AppContext, version: str) -> Answer:
    call = read_body(context, read_rerank)
    return json_response(rerank_reply(call, score(context, [call.query]), version))
