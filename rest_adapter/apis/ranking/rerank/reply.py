"""POST /rerank: from scores to answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.pairs import Scores, sigmoid
from rest_adapter.http.random_ids import random_letters

if TYPE_CHECKING:
    from rest_adapter.apis.ranking.rerank.request import RerankCall
    from rest_adapter.json.encoding import JsonObject

_ID_LENGTH = 32


def rerank_reply(call: RerankCall, scores: Scores, *, is_cohere: bool = False) -> JsonObject | list[JsonObject]:
    """The answer, the most relevant text first; texts of equal scores in their order.

    Args:
        call: the body.
        scores: of its texts.
        is_cohere: with what version 2 of Cohere's API has besides.
    """
    values = scores.values if call.body.raw_scores in (None, True) else [sigmoid(value) for value in scores.values]
    order = sorted(range(len(values)), key=lambda index: -values[index])[: call.body.top_n]
    if call.is_list:
        return [_tei_result(call, index, values[index]) for index in order]
    answer: JsonObject = {
        "model": scores.model if call.body.model is None else call.body.model,
        "object": "list",
        "usage": {"prompt_tokens": scores.prompt_tokens, "total_tokens": scores.prompt_tokens},
        "results": [_result(call, index, values[index]) for index in order],
    }
    if is_cohere:
        answer |= {"id": f"rerank-{random_letters(_ID_LENGTH)}", "meta": {"api_version": {"version": "2"}}}
    return answer


def _result(call: RerankCall, index: int, score: float) -> JsonObject:
    result: JsonObject = {"index": index, "relevance_score": score}
    if call.body.return_documents:
        result["document"] = {"text": call.query.documents[index]}
    return result


def _tei_result(call: RerankCall, index: int, score: float) -> JsonObject:
    result: JsonObject = {"index": index, "score": score}
    if call.body.return_text:
        result["text"] = call.query.documents[index]
    return result
