"""The loop over the queue at the beginning of a step: who starts, who resumes, who goes on waiting."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.engine.language_model import DecodeFailed
from service.engine.output.output import accepted
from service.engine.output.progress import tell_start
from service.engine.request.state import SequenceState
from service.engine.request.task import unforeseen
from service.engine.schedule.admission import Admission
from service.errors import EngineFailure, ServiceError

if TYPE_CHECKING:
    from service.engine.cache.slots import Slot
    from service.engine.parts import EngineParts
    from service.engine.request.sequence import SequenceLife

logger = logging.getLogger(__name__)


class AdmissionLoop:
    """Gives slots to sequences that wait, and begins inputs to embed, once per step.

    Args:
        parts: of the engine.
    """

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._slots = parts.slots
        self._waiting = parts.waiting
        self._preemption = parts.preemption
        model = parts.model
        self._admission = Admission(
            model.info, model.vocabulary, parts.config, parts.slots, parts.memory, parts.system, parts.prompt_logits
        )
        self._sharing = self._admission.sharing

    @property
    def n_sharing(self) -> int:
        """Sequences that wait for what another request evaluates, as far as the last step found out."""
        return len(self._sharing)

    def run(self) -> None:
        """Start what waits, in order, as far as slots and cells go."""
        self._sharing.forget_ended()
        for life in self._waiting:
            try:
                if not self._sharing.waits_for_first(life) and not self._admit(life):
                    break
            except Exception as error:
                self._parts.endings.fail(life.task, unforeseen(life.task.id, error))
        if self._parts.embedding.has_work:
            busy = sum(len(slot.items) for slot in self._slots if not slot.is_idle)
            self._parts.embedding.admit(self._parts.model.info.n_cells - busy - len(self._parts.system.tokens))

    def _admit(self, life: SequenceLife) -> bool:
        """Start or resume a sequence if it may; False if nothing behind it in the queue could start either."""
        slot = self._slot_for(life)
        if slot is None or not self._admission.has_cells(life):
            return False
        if self._sharing.must_wait(life):
            return True
        if not slot.is_idle and not self._preemption.preempt(slot):
            return False
        if self._waiting.take(life):
            if life.task.own_scales is not None:
                self._parts.turns.is_needed = True
            self._start(life)
        return True

    def _slot_for(self, life: SequenceLife) -> Slot | None:
        """An idle slot, or else one whose sequence has a lower priority; None if there is neither."""
        idle = next((slot for slot in self._slots if slot.is_idle), None)
        return idle or self._preemption.victim(below=life.task.request.priority)

    def _start(self, life: SequenceLife) -> None:
        """Start or resume a sequence that was taken out of the queue; an error puts it back, to be ended there."""
        try:
            if life.state is SequenceState.PREEMPTED:
                self._resume(life)
                return
            slot = self._admission.start(life, self._parts.clock())
        except ServiceError as error:
            self._waiting.put_back(life)
            self._parts.endings.fail(life.task, error)
            return
        except BaseException:
            self._waiting.put_back(life)
            raise
        if life.index == 0:
            assert slot.sequence is not None
            self._parts.outbox.put(life.task.id, life.task.sink, accepted(slot, slot.sequence))
            tell_start(self._parts.outbox, slot.sequence)

    def _resume(self, life: SequenceLife) -> None:
        """Let a preempted sequence go on, or queue it again if there are no cells for it.

        Raises:
            EngineFailure: it cannot be restored.
        """
        slot = min((slot for slot in self._slots if slot.is_idle), key=lambda slot: slot.last_used_s)
        try:
            if not self._preemption.resume(life, slot):
                self._waiting.put_back(life)
        except DecodeFailed as error:
            logger.error("a preempted sequence cannot go on", extra={"error": str(error)})
            raise EngineFailure("the model could not go on with this request") from error
        except BaseException:
            self._parts.memory.drop(slot)
            raise
