"""How the output of an answer is sent to somebody who reads it only at its end."""

from __future__ import annotations

#: Milliseconds for which such output is collected: a message for each token takes time from the model.
COLLECTED_MS = 500
#: With more probabilities for each token, what is collected would take the server milliseconds to send.
MOST_CANDIDATES = 32


def collected_ms(n_candidates: int) -> int:
    """For how long the output is collected best, in milliseconds.

    Args:
        n_candidates: probabilities that are reported with each token, over all sequences.
    """
    return COLLECTED_MS if n_candidates <= MOST_CANDIDATES else 0
