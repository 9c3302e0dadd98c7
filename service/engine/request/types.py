"""Values that travel between the engine and its callers."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from service.engine.statistics.distributions import Distributions
from service.sampling.settings import SamplingSettings

if TYPE_CHECKING:
    from service.engine.language_model import Rows
    from service.errors import ServiceError


class Overflow(enum.Enum):
    """What happens to a prompt that does not fit into a slot's context."""

    REFUSE = "refuse"
    TRUNCATE = "truncate"


class FinishReason(enum.Enum):
    """Why a sequence ended."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"


class Outcome(enum.Enum):
    """How a request for text ended. That of several sequences ends as the last of them does."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """A text that every slot's prompt follows.

    Attributes:
        text: as received; empty if there is none.
        tokens: its token ids, with the model's BOS in front; none for an empty text.
        anti_prompt: word by which clients know that the user speaks next; reported, not enforced.
        assistant_name: name under which the model speaks; reported, not enforced.
    """

    text: str = ""
    tokens: tuple[int, ...] = ()
    anti_prompt: str = ""
    assistant_name: str = ""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A validated request.

    Attributes:
        prompt: token ids; at least one, all inside the vocabulary.
        has_bos: the first of them is a BOS that is left out behind a system prompt.
        n_sequences: continuations to generate; number ``i`` uses the seed ``sampling.seed + i`` if one is given.
        sampling: how to choose tokens.
        max_tokens: most tokens to sample, None for no limit; 0 evaluates the prompt only.
        min_tokens: tokens to sample before an end-of-generation token may be chosen.
        stop_texts: UTF-8 texts that end the sequence; none is empty.
        stop_tokens: tokens that end the sequence besides the model's own.
        include_match: leave the matched stop text in the output.
        n_dropped: tokens of the prompt that were left out already, because they would never fit.
        n_keep: prompt tokens kept on truncation and shift; -1 keeps all.
        overflow: what happens if the prompt does not fit.
        cache_prompt: reuse a cached prefix.
        cache_salt: cached prefixes are shared only between requests of equal salt.
        slot_id: slot to use if it is free, None for any.
        priority: higher ones start first, and take slots from lower ones.
        system_prompt: replaces the system prompt of all slots first, which must be idle; None changes nothing.
        want_tokens: put token records into pieces.
        prompt_logprobs: report the prompt's tokens with this many of the most probable ones at each place; None for no
            report. Such a prompt is evaluated as a whole, whatever a cache holds, and never truncated.
        grammar: GBNF that the output obeys, checked; empty for none.
        tenant: whose request it is; shown in slot snapshots.
        echo: opaque value for the caller's own use; shown in slot snapshots.
    """

    prompt: tuple[int, ...]
    has_bos: bool = False
    n_dropped: int = 0
    n_sequences: int = 1
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    max_tokens: int | None = None
    min_tokens: int = 0
    stop_texts: tuple[bytes, ...] = ()
    stop_tokens: frozenset[int] = frozenset()
    include_match: bool = False
    n_keep: int = 0
    overflow: Overflow = Overflow.REFUSE
    cache_prompt: bool = True
    cache_salt: str = ""
    slot_id: int | None = None
    priority: int = 0
    system_prompt: SystemPrompt | None = None
    want_tokens: bool = False
    prompt_logprobs: int | None = None
    grammar: str = ""
    tenant: str = ""
    echo: object = None

    @property
    def may_truncate_prompt(self) -> bool:
        """Whether a prompt that does not fit may lose tokens."""
        return self.overflow is Overflow.TRUNCATE and self.prompt_logprobs is None

    def without_texts(self) -> GenerationRequest:
        """The same without what tells about the prompt or the answer: texts, and token ids, which are texts too."""
        penalty_prompt = None if self.sampling.penalty_prompt is None else ()
        return replace(
            self,
            prompt=(),
            sampling=replace(self.sampling, penalty_prompt=penalty_prompt, logit_bias=()),
            stop_texts=(),
            stop_tokens=frozenset(),
            cache_salt="",
            system_prompt=None,
            grammar="",
            echo=None,
        )


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to turn into vectors.

    Attributes:
        inputs: token ids of each; at least one input, none of them empty, all ids inside the vocabulary, and each
            shorter than the context of a slot (of an encoder: not longer than its training context).
    """

    inputs: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class SystemPromptRequest:
    """Replaces the system prompt of all slots, which must be idle."""

    system_prompt: SystemPrompt


Request = GenerationRequest | EmbeddingRequest | SystemPromptRequest


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
    """

    id: int
    token_bytes: bytes
    probabilities: tuple[tuple[int, float], ...] = ()
    logprob: float | None = None
    top_logprobs: tuple[tuple[int, float], ...] = ()
    rank: int | None = None


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
class PromptTokens:
    """The next tokens of a prompt whose log-probabilities were asked for, as they are evaluated.

    All of them, in order, come between ``Accepted`` and the first piece. The first token of a prompt has no
    log-probability, for nothing comes before it.
    """

    tokens: tuple[TokenRecord, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """One unit of output: what a stream of single tokens would send as one event.

    Attributes:
        text: whole characters; may be empty.
        tokens: records of the tokens it covers, if they were asked for.
        index: number of the sequence, 0 to ``n_sequences - 1``.
    """

    text: str
    tokens: tuple[TokenRecord, ...] = ()
    index: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Where a request's time went, in seconds; time in the queue is not included."""

    prompt_tokens: int
    prompt_s: float
    decoded_tokens: int
    decode_s: float


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


@dataclass(frozen=True, slots=True)
class Embedded:
    """The answer to an ``EmbeddingRequest``; no event follows.

    Attributes:
        vectors: one row per input, in order, not scaled: float32, shape (inputs, n_embd).
    """

    vectors: Rows


@dataclass(frozen=True, slots=True)
class SystemPromptSet:
    """The answer to a ``SystemPromptRequest``: it is evaluated and in force; no event follows."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The request failed. Sent once, last, at any time."""

    error: ServiceError


Event = Accepted | PromptTokens | Piece | Finished | Embedded | SystemPromptSet | Failed


def is_last(event: Event) -> bool:
    """Whether a request is over with this event."""
    return isinstance(event, Failed | Embedded | SystemPromptSet) or (isinstance(event, Finished) and event.is_last)


class Sink(Protocol):
    """Receives one request's events.

    The engine never calls it: it hands (sink, events) pairs to its ``deliver`` function, once per step.
    """

    def put(self, events: list[Event]) -> None:
        """Take events in order; must not block."""


Delivery = tuple[Sink, list[Event]]


class SlotState(enum.Enum):
    """What a slot does."""

    IDLE = "idle"
    PREFILL = "prefill"
    DECODE = "decode"


@dataclass(frozen=True, slots=True)
class SlotSnapshot:
    """One slot after a step. The fields of a task are those of the last one while the slot is idle, without texts."""

    id: int
    state: SlotState
    task_id: int | None
    request: GenerationRequest | None
    seed: int
    prompt_tokens: int
    prompt_tokens_done: int
    tokens_predicted: int
    tokens_remaining: int | None
    cached_tokens: int
    finished: Finished | None


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since start; times in seconds, summed over requests.

    Attributes:
        cached_prompt_tokens: prompt tokens that were taken from the cache; not among ``prompt_tokens``.
        requests: requests for text that are over, by ``Outcome`` in its order.
        preemptions: sequences that had to give way, to go on later.
        drafted_tokens: tokens that were tried ahead; ``accepted_tokens`` of them were right.
        step_s: duration of all steps; of that ``model_s`` in the model, and ``sampling_s`` to choose tokens.
    """

    prompt_tokens: int = 0
    prompt_s: float = 0.0
    predicted_tokens: int = 0
    predicted_s: float = 0.0
    finished: int = 0
    steps: int = 0
    cached_prompt_tokens: int = 0
    requests: tuple[int, ...] = (0,) * len(Outcome)
    preemptions: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    step_s: float = 0.0
    model_s: float = 0.0
    sampling_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """The engine after a step; immutable, so any thread may read it.

    Attributes:
        slots: all slots, by number.
        queue_depth: requests that wait.
        kv_cells_used: cells that hold a token, caches of idle slots included; a shared cell counts once.
        kv_cells_total: all cells.
        counters: totals since start.
        system_prompt: the one in force, None without one.
        distributions: histograms since start.
        saved_prompts, saved_bytes: caches in main memory, and what they take.
        restored_prompts: how often one of them was restored since start.
    """

    slots: tuple[SlotSnapshot, ...]
    queue_depth: int
    kv_cells_used: int
    kv_cells_total: int
    counters: Counters
    system_prompt: SystemPrompt | None = None
    distributions: Distributions = field(default_factory=Distributions)
    saved_prompts: int = 0
    saved_bytes: int = 0
    restored_prompts: int = 0

    @property
    def slots_processing(self) -> int:
        """Slots with a request."""
        return sum(slot.state is not SlotState.IDLE for slot in self.slots)
