"""The log-probabilities of a prompt's own tokens, chunk by chunk as the prompt is evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from service.engine.request.events import PromptTokens, TokenRecord
from service.sampling.report import rank_logprobs

if TYPE_CHECKING:
    from service.engine.cache.slots import Slot
    from service.engine.language_model import CausalModel, Logits, Segment
    from service.engine.request.items import PromptItem
    from service.engine.request.sequence import RunningSequence


class UnusableScore(ValueError):
    """The model gave no numbers for a token of a prompt."""


def score(
    model: CausalModel, slot: Slot, sequence: RunningSequence, index: int, segment: Segment
) -> PromptTokens | None:
    """Records of the prompt tokens whose log-probabilities a chunk gives: the one after each of its tokens.

    Args:
        model: it has just decoded the chunk.
        slot: where; it does not count the chunk's tokens yet.
        sequence: the sequence in it, which is scored.
        index: number of the chunk among the decoded segments.
        segment: the chunk, with logits for each token.

    Returns:
        The records of the request's own tokens; None if the chunk tells about none of them.

    Raises:
        UnusableScore: a row is not finite.
    """
    n_top, start, prompt = sequence.request.prompt_logprobs, len(slot.items), sequence.prompt
    assert n_top is not None
    assert segment.n_logits == len(segment.tokens)
    records = []
    first = sequence.n_system
    if start <= first < start + segment.n_logits:
        # Nothing comes before it but a system prompt, whose last logits are gone.
        token = _token(prompt[first])
        records.append(TokenRecord(token, model.vocabulary.token_bytes(token)))
    for row in range(max(0, first - start), min(segment.n_logits, len(prompt) - start - 1)):
        token = _token(prompt[start + row + 1])
        records.append(_record(model.compute.logits(index, row), token, model.vocabulary.token_bytes(token), n_top))
    return PromptTokens(tuple(records)) if records else None


def _token(item: PromptItem) -> int:
    assert isinstance(item, int), "prompts with media have no log-probabilities"
    return item


def _record(row: Logits, token: int, token_bytes: bytes, n_top: int) -> TokenRecord:
    with np.errstate(all="ignore"):
        logprob, top = rank_logprobs(row, token, n_top)
    if not logprob <= 0:
        raise UnusableScore(f"token {token} of the prompt has the log-probability {logprob}")
    rank = int(np.count_nonzero(row > row[token])) + 1
    return TokenRecord(token, token_bytes, logprob=logprob, top_logprobs=top, rank=rank)
