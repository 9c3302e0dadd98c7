"""How much of a prompt is evaluated, for those who ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.engine.request.events import PromptProgress
from service.engine.request.state import SequenceState

if TYPE_CHECKING:
    from service.engine.cache.slots import Slot
    from service.engine.output.outbox import Outbox
    from service.engine.request.sequence import RunningSequence


def tell_start(outbox: Outbox, sequence: RunningSequence) -> None:
    """Tell what of a prompt was cached when the sequence got its slot.

    Even of a prompt that is all cached the last token counts as evaluated.
    """
    _tell(outbox, sequence, sequence.n_cached, sequence.started_s)


def tell_progress(outbox: Outbox, slot: Slot, sequence: RunningSequence, now_s: float) -> None:
    """Tell what a slot holds of the prompt now, until the sequence begins its output."""
    if sequence.life.state is SequenceState.PREFILL:
        _tell(outbox, sequence, min(len(slot.items) - sequence.n_system, sequence.n_prompt), now_s)


def _tell(outbox: Outbox, sequence: RunningSequence, n_processed: int, now_s: float) -> None:
    # One sequence of a request evaluates the prompt for all of them.
    if sequence.request.want_progress and sequence.index == 0:
        event = PromptProgress(
            total=sequence.n_prompt,
            cached=sequence.n_cached,
            processed=max(n_processed, sequence.n_cached),
            elapsed_s=now_s - sequence.started_s,
        )
        outbox.put(sequence.task.id, sequence.task.sink, event)
