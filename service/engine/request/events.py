"""What a request gets, and who takes it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from service.dialogue.output import Channel
    from service.engine.language_model import Rows
    from service.engine.request.slot_requests import SlotImage
    from service.errors import ServiceError


class FinishReason(enum.Enum):
    """Why a sequence ended."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """One token, sampled or of a prompt.

    Attributes:
        id: vocabulary id.
        token_bytes: its bytes; may be an incomplete UTF-8 character.
        probabilities: (id, probability after the samplers), highest first; ``n_probs`` entries.
        logprob: log-softmax of the raw logits for this token; None unless asked for.
        top_logprobs: (id, raw log-softmax), highest first; ``top_logprobs`` entries.
        rank: 1 for the most probable token under the raw logits, and so on; for prompts only.
        probability: of this token after the samplers; None unless ``n_probs`` were asked for.
    """

    id: int
    token_bytes: bytes
    probabilities: tuple[tuple[int, float], ...] = ()
    logprob: float | None = None
    top_logprobs: tuple[tuple[int, float], ...] = ()
    rank: int | None = None
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request got its first slot. Sent once, first.

    Attributes:
        prompt_tokens: after truncation, cached ones included.
        truncated_prompt_tokens: what truncation left out.
    """

    slot_id: int
    prompt_tokens: int
    cached_prompt_tokens: int
    queued_s: float
    truncated_prompt_tokens: int = 0


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """How much of the prompt is evaluated; first right after ``Accepted``, last before the first piece.

    Attributes:
        total: items of the prompt, those of a system prompt left out.
        cached: those that were taken from the cache.
        processed: those that are evaluated, or were cached.
        elapsed_s: seconds since the start in a slot.
    """

    total: int
    cached: int
    processed: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """The next tokens of a prompt whose log-probabilities were asked for, as they are evaluated.

    All of them, in order, come between ``Accepted`` and the first piece. The first token of a prompt has no
    log-probability, for nothing comes before it.
    """

    tokens: tuple[TokenRecord, ...]


@dataclass(frozen=True, slots=True)
class Timings:
    """Where a sequence's time went, in seconds; time in the queue is not included.

    Attributes:
        prompt_tokens: those that were evaluated, ``cached_tokens`` excluded.
        draft_tokens: tokens that were tried ahead; ``draft_accepted`` of them were right.
    """

    prompt_tokens: int
    prompt_s: float
    decoded_tokens: int
    decode_s: float
    cached_tokens: int = 0
    draft_tokens: int = 0
    draft_accepted: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """One unit of output: what a stream of single tokens would send as one event.

    Attributes:
        text: whole characters; may be empty.
        tokens: records of the tokens it covers, if they were asked for.
        index: number of the sequence, 0 to ``n_sequences - 1``.
        channel: what the text belongs to, if output is parsed; it is not empty then, unless it has tokens.
        timings: up to this piece, if they were asked for.
    """

    text: str
    tokens: tuple[TokenRecord, ...] = ()
    index: int = 0
    channel: Channel | None = None
    timings: Timings | None = None


@dataclass(frozen=True, slots=True)
class ToolDelta:
    """The beginning of a tool call, or more of its arguments; only if output is parsed.

    Attributes:
        call: number of the call in its sequence, from 0.
        id, name: of the call, with its first delta only; empty with all others.
        arguments: more of the arguments, as JSON text.
        index: number of the sequence.
        timings: as of a piece.
    """

    call: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    index: int = 0
    timings: Timings | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A sequence ended. Sent once for each, after all its pieces.

    Attributes:
        index: number of the sequence.
        is_last: whether all sequences of the request have ended: no event follows.
        reason: why.
        stop_text: the stop text that was found, or None.
        stop_token: the requested stop token that was sampled, or None.
        eos_token: the end-of-generation token that was sampled, or None.
        truncated: the prompt was truncated or the context shifted.
        tokens_evaluated: prompt tokens after truncation, cached ones included.
        tokens_predicted: tokens sampled, end-of-generation token and stop text included.
        tokens_cached: tokens of the sequence in the KV cache.
        cached_prompt_tokens: prompt tokens taken from the cache.
        n_keep: prompt tokens kept on truncation and shift, resolved.
        seed: the seed that was used.
        max_tokens: the limit that was in force.
        n_calls: tool calls that are complete; 0 unless output is parsed.
        reasoning_tokens: those of ``tokens_predicted`` that were reasoning, None unless output is parsed.
        image_tokens: those of ``tokens_evaluated`` that are cells of media.
        has_line_break: whether the text has one.

    Tokens of a system prompt are in none of the counts.
    """

    reason: FinishReason
    stop_text: bytes | None
    stop_token: int | None
    eos_token: int | None
    truncated: bool
    tokens_evaluated: int
    tokens_predicted: int
    tokens_cached: int
    cached_prompt_tokens: int
    n_keep: int
    seed: int
    max_tokens: int | None
    slot_id: int
    timings: Timings
    index: int = 0
    is_last: bool = True
    n_calls: int = 0
    reasoning_tokens: int | None = None
    image_tokens: int = 0
    has_line_break: bool = False


@dataclass(frozen=True, slots=True)
class Embedded:
    """The answer to an ``EmbeddingRequest``; no event follows.

    Attributes:
        vectors: one row per input, in order, not scaled: float32, shape (inputs, n_embd). With ``Pooling.NONE`` one
            row per item of all inputs in order.
    """

    vectors: Rows


@dataclass(frozen=True, slots=True)
class SystemPromptSet:
    """The answer to a ``SystemPromptRequest``: it is evaluated and in force; no event follows."""


@dataclass(frozen=True, slots=True)
class AdaptersSet:
    """The answer to an ``AdaptersRequest``: they are in force; no event follows."""


@dataclass(frozen=True, slots=True)
class SlotSaved:
    """The answer to ``SaveSlot``, which took ``seconds`` once the slot was idle; no event follows."""

    image: SlotImage
    seconds: float


@dataclass(frozen=True, slots=True)
class SlotRestored:
    """The answer to ``RestoreSlot``: the slot holds ``n_items``; no event follows."""

    n_items: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SlotErased:
    """The answer to ``EraseSlot``: the slot held ``n_items``; no event follows."""

    n_items: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The request failed. Sent once, last, at any time."""

    error: ServiceError


Event = (
    Accepted
    | PromptProgress
    | PromptTokens
    | Piece
    | ToolDelta
    | Finished
    | Embedded
    | SystemPromptSet
    | AdaptersSet
    | SlotSaved
    | SlotRestored
    | SlotErased
    | Failed
)
#: Events that are the only ones of their request.
_ANSWERS = Failed | Embedded | SystemPromptSet | AdaptersSet | SlotSaved | SlotRestored | SlotErased


def is_last(event: Event) -> bool:
    """Whether a request is over with this event."""
    return isinstance(event, _ANSWERS) or (isinstance(event, Finished) and event.is_last)


class Sink(Protocol):
    """Receives one request's events.

    The engine never calls it: it hands (sink, events) pairs to its ``deliver`` function, once per step.
    """

    def put(self, events: list[Event]) -> None:
        """Take events in order; must not block."""


Delivery = tuple[Sink, list[Event]]
