"""What an engine does in its steps, in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from service.engine.request.events import Accepted, Embedded, Event, Failed, Finished, Piece, PromptTokens
from service.engine.request.snapshots import EngineSnapshot, SlotState
from service.engine.request.state import SequenceState
from tests.engine.words import picture_name, show, span, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.language_model import MediaSegment, Segment

#: Characters of an answer that are shown.
_SHOWN = 48


@dataclass
class Batch:
    """One call of the model.

    Attributes:
        parts: what it evaluates.
        kind: batch for tokens, rows for those of media.
        n_prompt, n_answer, n_text: tokens of prompts, behind prompts, and of texts to embed.
        failure: why it failed, empty if it did not.
    """

    parts: list[str] = field(default_factory=list)
    n_prompt: int = 0
    n_answer: int = 0
    n_text: int = 0
    failure: str = ""
    kind: str = "batch"

    @property
    def text(self) -> str:
        """The batch in words."""
        return f"{self.kind}: {', '.join(self.parts)}{self.failure}"

    @property
    def is_progress(self) -> bool:
        """Whether it has not failed."""
        return not self.failure


class Line(NamedTuple):
    """Something that happens, in words; ``is_progress`` if it only tells that a request gets on."""

    text: str
    is_progress: bool = False


@dataclass
class StepRecord:
    """A step: batches, changes of memory and moves of sequences in order, then the events of each request."""

    number: int
    entries: list[Batch | Line] = field(default_factory=list)
    events: list[Line] = field(default_factory=list)
    time_s: float = 0.0

    def details(self) -> list[str]:
        """Everything, each line by itself."""
        lines = [entry.text for entry in (*self.entries, *self.events)]
        return [f"step {self.number}, {_ms(self.time_s)}", *(f"  {line}" for line in lines)]

    def outline(self) -> list[str]:
        """What is worth knowing in the long run: neither batches, nor pieces, nor drafts that are taken back."""
        batches = [place for place, entry in enumerate(self.entries) if isinstance(entry, Batch)]
        before = self.entries[: batches[-1] + 1] if batches else self.entries
        return [f"  {self.number}: {entry.text}" for entry in (*before, *self.events) if not entry.is_progress]

    @property
    def batches(self) -> list[Batch]:
        """Calls of the model that did not fail."""
        return [entry for entry in self.entries if isinstance(entry, Batch) and not entry.failure]


def summarize(steps: Sequence[StepRecord]) -> list[str]:
    """Steps in few lines: how many, what they evaluated, and what is worth knowing of each."""
    if not steps:
        return ["no steps"]
    batches = [batch for step in steps for batch in step.batches]
    sums = (
        (sum(batch.n_prompt for batch in batches), "of prompts"),
        (sum(batch.n_answer for batch in batches), "of answers"),
        (sum(batch.n_text for batch in batches), "of texts"),
    )
    tokens = " + ".join(f"{n} {whose}" for n, whose in sums if n) or "none"
    times_s = [step.time_s for step in steps]
    head = f"steps {steps[0].number}-{steps[-1].number}, {_ms(sum(times_s))}, longest {_ms(max(times_s))}"
    if len(steps) == 1:
        head = f"step {steps[0].number}, {_ms(times_s[0])}"
    return [f"{head}; tokens: {tokens}", *(line for step in steps for line in step.outline())]


def sequence_name(seq_id: int, n_slots: int) -> str:
    """What a sequence of the model is for: a slot, the system prompt, or a text that is embedded."""
    if seq_id == n_slots:
        return "the system prompt"
    return f"slot {seq_id}" if seq_id < n_slots else f"text {seq_id - n_slots}"


def describe_batch(
    segments: Sequence[Segment], n_filler: int, snapshot: EngineSnapshot, names: dict[int, str]
) -> Batch:
    """A batch before it is evaluated.

    Args:
        segments: what is evaluated.
        n_filler: tokens that fill it up.
        snapshot: the engine at that moment.
        names: of requests, by task.
    """
    batch = Batch()
    n_system = 0 if snapshot.system_prompt is None else len(snapshot.system_prompt.tokens)
    n_slots = len(snapshot.slots)
    for segment in segments:
        where = span(segment.position, segment.position + len(segment.tokens) - 1)
        if segment.seq_id > n_slots:
            batch.n_text += len(segment.tokens)
            batch.parts.append(f"{sequence_name(segment.seq_id, n_slots)} {where}")
            continue
        if segment.seq_id == n_slots:
            batch.n_prompt += len(segment.tokens)
            batch.parts.append(f"system prompt {where} of {n_system}")
            continue
        slot = snapshot.slots[segment.seq_id]
        name = f"{names[slot.task_id or 0]}@{slot.id}"
        if slot.state is SlotState.DECODE:
            batch.n_answer += len(segment.tokens)
            drafted = f" and tries {show(text_of(segment.tokens[1:]))}" if len(segment.tokens) > 1 else ""
            batch.parts.append(f"{name} {show(text_of(segment.tokens[:1]))}{drafted}")
        else:
            batch.n_prompt += len(segment.tokens)
            scored = " scored" if segment.n_logits > 1 else ""
            batch.parts.append(f"{name} prompt {where} of {n_system + slot.prompt_tokens}{scored}")
    if n_filler:
        batch.parts.append(f"{n_filler} filler")
    return batch


def describe_media(segments: Sequence[MediaSegment], snapshot: EngineSnapshot, names: dict[int, str]) -> Batch:
    """A call with rows of media before they are evaluated; the arguments are those of ``describe_batch``."""
    batch = Batch(kind="rows")
    n_slots = len(snapshot.slots)
    for segment in segments:
        rows = span(segment.start, segment.start + segment.n_rows - 1)
        of_picture = f"{picture_name(segment.chunk.key)} {rows} of {len(segment.chunk.rows)} at {segment.position}"
        if segment.seq_id > n_slots:
            batch.n_text += segment.n_rows
            batch.parts.append(f"{sequence_name(segment.seq_id, n_slots)} {of_picture}")
            continue
        batch.n_prompt += segment.n_rows
        batch.parts.append(f"{names[snapshot.slots[segment.seq_id].task_id or 0]}@{segment.seq_id} {of_picture}")
    return batch


def describe_draft_call(segments: Sequence[Segment]) -> Line:
    """A call of the draft model: what it reads of each slot, and whether it guesses what comes next."""
    parts = []
    for segment in segments:
        where = span(segment.position, segment.position + len(segment.tokens) - 1)
        what = "guesses behind" if segment.n_logits else "reads"
        parts.append(f"slot {segment.seq_id} {what} {where} {show(text_of(segment.tokens))}")
    return Line(f"draft model: {', '.join(parts)}", is_progress=True)


def describe_move(name: str, index: int, n_sequences: int, before: SequenceState, state: SequenceState) -> Line:
    """A move of a sequence from a state to another one; progress, unless it has to wait for others, or no longer."""
    who = _sequence(name, index, n_sequences)
    is_progress = not {SequenceState.SHARING, SequenceState.PREEMPTED} & {before, state}
    return Line(f"{who}: {before.value} -> {state.value}", is_progress)


def describe_events(name: str, events: Sequence[Event], texts: dict[int, str], n_sequences: int) -> list[Line]:
    """The events that a request gets in a step; consecutive pieces of a sequence in one line.

    Args:
        name: of the request.
        events: in order.
        texts: all that its sequences have said, these events included, by number.
        n_sequences: of the request; they are told apart if there are several.
    """
    lines: list[Line] = []
    speaker: str | None = None
    for event in events:
        if not isinstance(event, Piece):
            speaker = None
            lines.append(_event(name, event, texts, n_sequences))
            continue
        piece = show(event.text) + (f"({len(event.tokens)})" if event.tokens else "")
        who = _sequence(name, event.index, n_sequences)
        before = lines.pop().text if who == speaker else who
        lines.append(Line(f"{before} {piece}", is_progress=True))
        speaker = who
    return lines


def _event(name: str, event: Event, texts: dict[int, str], n_sequences: int) -> Line:
    match event:
        case Accepted():
            return Line(f"{name} {_accepted(event)}")
        case PromptTokens(tokens):
            scored = show(text_of([record.id for record in tokens]))
            return Line(f"{name} scored: {len(tokens)} tokens {scored}", is_progress=True)
        case Finished():
            who = _sequence(name, event.index, n_sequences)
            return Line(f"{who} {_finished(event, texts.get(event.index, ''))}")
        case Embedded(vectors):
            return Line(f"{name} embedded: {len(vectors)} vectors")
        case Failed(error):
            return Line(f"{name} failed: {error.reason}, {error}")
        case _:
            return Line(f"{name} in force")


def _accepted(event: Accepted) -> str:
    notes = [f"slot {event.slot_id}", f"prompt {event.prompt_tokens}"]
    if event.cached_prompt_tokens:
        notes.append(f"cached {event.cached_prompt_tokens}")
    if event.truncated_prompt_tokens:
        notes.append(f"left out {event.truncated_prompt_tokens}")
    if event.queued_s:
        notes.append(f"waited {_ms(event.queued_s)}")
    return f"accepted: {', '.join(notes)}"


def _finished(event: Finished, text: str) -> str:
    shown = show(text) if len(text) <= _SHOWN else f"{show(text[:_SHOWN])}..."
    timings = event.timings
    notes = [
        f"{event.reason.value} after {event.tokens_predicted} tokens {shown} in {_ms(timings.decode_s)}",
        f"prompt {event.tokens_evaluated} in {_ms(timings.prompt_s)}",
        f"cached {event.cached_prompt_tokens}",
        f"holds {event.tokens_cached}",
    ]
    if event.stop_text is not None:
        notes.append(f"found {show(event.stop_text.decode())}")
    if event.stop_token is not None:
        notes.append(f"stop token {show(text_of([event.stop_token]))}")
    if event.eos_token is not None:
        notes.append("end token")
    if event.image_tokens:
        notes.append(f"pictures {event.image_tokens}")
    if event.truncated:
        notes.append("truncated")
    return f"finished in slot {event.slot_id}: {', '.join(notes)}"


def _sequence(name: str, index: int, n_sequences: int) -> str:
    return f"{name}.{index}" if n_sequences > 1 else name


def _ms(seconds: float) -> str:
    return f"{round(seconds * 1000, 1):g} ms"
