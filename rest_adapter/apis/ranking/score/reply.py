"""POST /score: from scores to answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rest_adapter.http.random_ids import random_letters

if TYPE_CHECKING:
    from rest_adapter.apis.common.pairs import Scores
    from rest_adapter.apis.ranking.score.request import ScoreCall
    from rest_adapter.json.encoding import JsonObject

_ID_LENGTH = 32


def score_reply(call: ScoreCall, scores: Scores) -> JsonObject:
    """The answer, in the order of the texts."""
    return {
        "id": f"score-{random_letters(_ID_LENGTH)}",
        "object": "list",
        "created": int(time.time()),
        "model": scores.model if call.body.model is None else call.body.model,
        "data": [{"index": index, "object": "score", "score": value} for index, value in enumerate(scores.values)],
        "usage": {"prompt_tokens": scores.prompt_tokens, "total_tokens": scores.prompt_tokens},
    }
