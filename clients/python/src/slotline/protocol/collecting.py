"""How the output of an answer is sent to somebody who reads it only at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slotline.v1.generation_pb2 import GenerateRequest

#: Milliseconds for which such output is collected: a message for each token takes time from the model.
COLLECTED_MS = 500
#: With more probabilities per token, what is collected would take the server milliseconds to send.
MOST_CANDIDATES = 32


def collect_output(request: GenerateRequest) -> None:
    """Have the output of a request collected if it says nothing else itself; changes it."""
    output = request.output
    n_candidates = (output.n_probs + output.top_logprobs) * max(1, request.num_sequences)
    if not output.HasField("max_delta_delay_ms") and n_candidates <= MOST_CANDIDATES:
        output.max_delta_delay_ms = COLLECTED_MS
