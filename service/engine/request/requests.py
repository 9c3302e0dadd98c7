"""What the engine can be asked for."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from service.engine.request.slot_requests import SlotRequest
from service.sampling.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.dialogue.output import OutputParser
    from service.engine.request.items import PromptItem
    from service.engine.request.media import MediaChunk
    from service.sampling.grammar import Guide


class Overflow(enum.Enum):
    """What happens to a prompt that does not fit into a slot's context."""

    REFUSE = "refuse"
    TRUNCATE = "truncate"


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
class ReasoningBudget:
    """How much a model may think.

    Attributes:
        n_tokens: tokens of reasoning after which it is closed.
        closing: tokens that close it then, in place of what the model would say.
    """

    n_tokens: int
    closing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OutputParsing:
    """How the parts of an answer are told apart.

    Attributes:
        make_parser: makes the parser of one sequence.
        names: what the parser sees of control tokens, which have no text; others it does not see.
        budget: limits reasoning, None for no limit.
        defers_grammar: the prompt has opened reasoning, and the grammar holds for what follows it.
    """

    make_parser: Callable[[], OutputParser]
    names: Mapping[int, bytes] = field(default_factory=dict)
    budget: ReasoningBudget | None = None
    defers_grammar: bool = False


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A validated request.

    Attributes:
        prompt: items, at least one; all token ids are inside the vocabulary.
        media: the chunks of its media, by key.
        n_media_items: items of the prompt that media takes, with the tokens that its projector puts around it.
        has_bos: the first of them is a BOS that is left out behind a system prompt.
        n_sequences: continuations to generate; number ``i`` uses the seed ``sampling.seed + i`` if one is given.
        sampling: how to choose tokens.
        max_tokens: most tokens to sample, None for no limit; 0 evaluates the prompt only.
        min_tokens: tokens to sample before an end-of-generation token may be chosen.
        stop_texts: UTF-8 texts that end the sequence; none is empty.
        stop_tokens: tokens that end the sequence besides the model's own.
        include_match: leave the matched stop text in the output.
        min_indent: blanks and tabs that every line but the first must begin with, of parsed output those of content; 0
            for no demand.
        line_limit_s: seconds of generating after which a sequence ends with the next line break; None for no limit.
        n_dropped: tokens of the prompt that were left out already, because they would never fit.
        n_keep: prompt tokens kept on truncation and shift; -1 keeps all.
        overflow: what happens if the prompt does not fit.
        cache_prompt: reuse a cached prefix.
        cache_salt: cached prefixes are shared only between requests of equal salt.
        adapter_scales: of the model's LoRA adapters, one for each; None for those in force for everybody.
        slot_id: slot to use if it is free, None for any.
        priority: higher ones start first, and take slots from lower ones.
        system_prompt: replaces the system prompt of all slots first, which must be idle; None changes nothing.
        want_tokens: put token records into pieces.
        want_timings: put timings into pieces and parts of calls.
        want_progress: tell how much of the prompt is evaluated.
        prompt_logprobs: report the prompt's tokens with this many of the most probable ones at each place; None for no
            report. Such a prompt is evaluated as a whole, whatever a cache holds, and never truncated.
        guide: what the output obeys, None for nothing.
        parsing: how the parts of the output are told apart, None for output as the model wrote it. Stop texts then are
            looked for in content only.
        tenant: whose request it is; shown in slot snapshots.
    """

    prompt: tuple[PromptItem, ...]
    media: Mapping[bytes, MediaChunk] = field(default_factory=dict)
    n_media_items: int = 0
    has_bos: bool = False
    n_dropped: int = 0
    n_sequences: int = 1
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    max_tokens: int | None = None
    min_tokens: int = 0
    stop_texts: tuple[bytes, ...] = ()
    stop_tokens: frozenset[int] = frozenset()
    include_match: bool = False
    min_indent: int = 0
    line_limit_s: float | None = None
    n_keep: int = 0
    overflow: Overflow = Overflow.REFUSE
    cache_prompt: bool = True
    cache_salt: str = ""
    adapter_scales: tuple[float, ...] | None = None
    slot_id: int | None = None
    priority: int = 0
    system_prompt: SystemPrompt | None = None
    want_tokens: bool = False
    want_timings: bool = False
    want_progress: bool = False
    prompt_logprobs: int | None = None
    guide: Guide | None = None
    parsing: OutputParsing | None = None
    tenant: str = ""

    @property
    def may_truncate_prompt(self) -> bool:
        """Whether a prompt that does not fit may lose tokens; one with media never does."""
        return self.overflow is Overflow.TRUNCATE and self.prompt_logprobs is None and not self.media

    def without_texts(self) -> GenerationRequest:
        """A copy without anything that reveals prompt or answer: neither texts nor token ids, which stand for texts."""
        penalty_prompt = None if self.sampling.penalty_prompt is None else ()
        return replace(
            self,
            prompt=(),
            media={},
            sampling=replace(
                self.sampling, penalty_prompt=penalty_prompt, logit_bias=(), dry_sequence_breakers=(), dry_breakers={}
            ),
            stop_texts=(),
            stop_tokens=frozenset(),
            cache_salt="",
            system_prompt=None,
            guide=None,
            parsing=None,
        )


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to turn into vectors.

    Attributes:
        inputs: items of each; at least one input, none of them empty, all token ids inside the vocabulary, and each
            shorter than the context of a slot (of an encoder: not longer than its training context, and only tokens).
        media: the chunks of their media, by key.
        n_media_items: see ``GenerationRequest``.
    """

    inputs: tuple[tuple[PromptItem, ...], ...]
    media: Mapping[bytes, MediaChunk] = field(default_factory=dict)
    n_media_items: int = 0


@dataclass(frozen=True, slots=True)
class SystemPromptRequest:
    """Replaces the system prompt of all slots, which must be idle."""

    system_prompt: SystemPrompt


@dataclass(frozen=True, slots=True)
class AdaptersRequest:
    """Scales the model's LoRA adapters, one number for each, for all requests that follow and have none of their own.

    Nothing else may run.
    """

    scales: tuple[float, ...]


Request = GenerationRequest | EmbeddingRequest | SystemPromptRequest | AdaptersRequest | SlotRequest
