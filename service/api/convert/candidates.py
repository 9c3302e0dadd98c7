"""Bounds how many candidates a request may have reported: each costs time and memory on its whole way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import InvalidArgument
from slotline.options import maximum

if TYPE_CHECKING:
    from slotline.v1 import generation_pb2

#: Most candidates (``n_probs`` and ``top_logprobs``) that one request may have reported, over all tokens and sequences.
MAX_CANDIDATES = maximum("n_probs")
#: A request without a limit on tokens gets one that keeps within the bound, which must leave it this many tokens.
LEAST_UNLIMITED_TOKENS = 1024


def bounded_max_tokens(
    request: generation_pb2.GenerateRequest, cap: int | None, default: int | None = None
) -> int | None:
    """The request's limit on tokens, lowered if there is none and candidates are reported.

    Args:
        request: the message.
        cap: the server's own limit on tokens, None for none.
        default: the limit of requests that have none, None for none.

    Raises:
        InvalidArgument: more candidates would be reported than may be.
    """
    output, stop = request.output, request.stop
    wanted = stop.max_tokens if stop.HasField("max_tokens") else default
    per_token = (output.n_probs + output.top_logprobs) * max(1, request.num_sequences)
    if per_token == 0:
        return wanted
    limits = [limit for limit in (wanted, cap) if limit is not None]
    n_tokens = min(limits, default=LEAST_UNLIMITED_TOKENS)
    if per_token * n_tokens > MAX_CANDIDATES:
        field = "output.n_probs" if output.n_probs else "output.top_logprobs"
        tokens = f"stop.max_tokens {n_tokens}" if limits else f"at least {n_tokens} tokens without stop.max_tokens"
        raise InvalidArgument(
            field,
            f"asks for {per_token} candidates per token over all sequences, times {tokens}; "
            f"allowed is a product of at most {MAX_CANDIDATES}",
        )
    return wanted if limits else MAX_CANDIDATES // per_token
