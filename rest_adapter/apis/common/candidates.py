"""A bound on the probabilities that one body may ask for. The core has the same bound for each of its calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.errors import InvalidRequest
from slotline.options import maximum

if TYPE_CHECKING:
    from slotline.v1.generation_pb2 import GenerateRequest

#: Most entries of probabilities and log-probabilities, over all tokens, answers and prompts of a body.
MAX_CANDIDATES = maximum("n_probs")
#: Without a limit on tokens there must be room for this many tokens, and answers end when the bound is reached.
LEAST_UNLIMITED_TOKENS = 1024


def candidates_per_token(request: GenerateRequest) -> int:
    """How many entries each step of a request's sequences adds."""
    output = request.output
    return (output.n_probs + output.top_logprobs) * max(1, request.num_sequences)


def bound_candidates(
    request: GenerateRequest,
    n_prompts: int = 1,
    *,
    tokens: str = "max_tokens",
    logprobs: str = "top_logprobs",
    probabilities: str = "n_probs",
) -> None:
    """Refuse a request that asks for too many. If it is one of several and has no limit on tokens, it gets one.

    Args:
        request: what all prompts of a body have in common.
        n_prompts: how many there are.
        tokens: the field of the body that limits tokens.
        logprobs: the field of the body that asks for log-probabilities.
        probabilities: the field that asks for probabilities.

    Raises:
        InvalidRequest: there would be too many.
    """
    per_token = candidates_per_token(request) * n_prompts
    if per_token == 0:
        return
    has_limit = request.stop.HasField("max_tokens")
    n_tokens = request.stop.max_tokens if has_limit else LEAST_UNLIMITED_TOKENS
    if per_token * n_tokens > MAX_CANDIDATES:
        name = probabilities if request.output.n_probs else logprobs
        answers = max(1, request.num_sequences) * n_prompts
        over = f" for each of {answers} answers" if answers > 1 else ""
        limit = f"{tokens} {n_tokens}" if has_limit else f"{n_tokens} tokens, the least without {tokens}"
        number = request.output.n_probs or request.output.top_logprobs
        raise InvalidRequest(
            name,
            f"{number}{over} times {limit} makes {per_token * n_tokens} probabilities; allowed is a product of at most "
            f"{MAX_CANDIDATES}",
        )
    if not has_limit and n_prompts > 1:
        request.stop.max_tokens = MAX_CANDIDATES // per_token
