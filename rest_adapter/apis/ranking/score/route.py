"""POST /score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.ranking.score.reply import score_reply
from rest_adapter.apis.ranking.score.request import read_score
from rest_adapter.apis.serving.reading import read_body
from rest_adapter.apis.serving.scorer import score
from rest_adapter.http.responses import Answer, json_response

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext


def score_pairs(context: AppContext) -> Answer:
    """A score for each pair of texts."""
    call = read_body(context, read_score)
    return json_response(score_reply(call, score(context, call.queries)))
