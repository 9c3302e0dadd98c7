"""POST /rerank: from scores to answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.http.random_ids import random_letters

if TYPE_CHECKING:
    from rest_adapter.apis.common.pairs import Scores
    from rest_adapter.apis.ranking.rerank.request import RerankCall
    from rest_adapter.json.encoding import JsonObject

_ID_LENGTH = 32


def rerank_reply(call: RerankCall, scores: Scores, version: str = "1") -> JsonObject | list[JsonObject]:
    """The answer, the most relevant text first; texts of equal scores in their order.

    One form serves the clients of llama.cpp's server, Jina, vLLM and Cohere: each takes the fields that it knows.

    Args:
        call: the body.
        scores: of its texts.
        version: of Cohere's API.
    """
    values = scores.values
    order = sorted(range(len(values)), key=lambda index: -values[index])[: call.body.top_n]
    if call.is_list:
        return [_tei_result(call, index, values[index]) for index in order]
    return {
        "id": f"rerank-{random_letters(_ID_LENGTH)}",
        "model": scores.model if call.body.model is None else call.body.model,
        "object": "list",
        "usage": {"prompt_tokens": scores.prompt_tokens, "total_tokens": scores.prompt_tokens},
        "results": [_result(call, index, values[index]) for index in order],
        "meta": {"api_version": {"version": version}, "tokens": {"input_tokens": scores.prompt_tokens}},
    }


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
