"""Drafts by lookup, while they pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.config import Lookup
from service.engine.request.items import tokens_of
from service.engine.schedule.draft_credit import DraftCredit
from service.engine.schedule.draft_source import MIN_GAIN, Offer, room_of
from service.engine.schedule.lookup import Repetition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.config import EngineConfig
    from service.engine.cache.slots import Slot
    from service.engine.schedule.draft_source import Trial
    from service.engine.schedule.step_cost import StepCost

#: Lengths of drafts. With the token before them they are multiples of four, which kernels like; and there are few, so
#: that the cost of each is soon known.
LENGTHS = (3, 7, 15, 31)
#: With ``Lookup.AUTO``: how many plain steps drafts may have lost before the first step that earns any, and how many
#: they may save up.
FIRST_CREDIT, MAX_CREDIT = 8.0, 32.0


class LookupDrafts:
    """A ``DraftSource``: what followed the same words before.

    With ``Lookup.ON`` a step has drafts if more tokens are expected of it in all than of steps without in the same
    time. With ``Lookup.AUTO`` every sequence of the step must gain, and what drafts lose is bounded, whatever was
    expected: credit in plain steps pays in advance for a draft of which nothing is right.

    Args:
        config: when drafts are wanted, and how long a context may be.
        cost: what steps with drafts take.
    """

    def __init__(self, config: EngineConfig, cost: StepCost) -> None:
        self._n_ctx = config.n_ctx_slot
        self._cost = cost
        self._credit = DraftCredit(FIRST_CREDIT, MAX_CREDIT)
        self._is_careful = config.lookup is Lookup.AUTO

    def offer(self, decoding: Sequence[Slot], room: int) -> Offer | None:
        """The length of draft that promises most, the same for all slots with a guess."""
        slots = self._candidates(decoding)
        if not slots:
            return None
        n_sequences = len(decoding)
        longest = min(room // len(slots), *(room_of(slot, self._n_ctx) for slot in slots))
        lengths = [length for length in LENGTHS if length <= longest]
        expected = [_repetition(slot).expected(lengths) for slot in slots]
        best, best_gain = 0, MIN_GAIN
        for index, length in enumerate(lengths):
            ratio = self._cost.ratio(n_sequences, length * len(slots))
            if self._is_careful and not self._credit.can_pay(ratio - 1.0):
                continue
            right = [numbers[index] for numbers in expected]
            more = min(right) if self._is_careful else sum(right) / n_sequences
            if (1.0 + more) / ratio > best_gain:
                best, best_gain = length, (1.0 + more) / ratio
        if not best:
            return None
        return Offer(best_gain, lambda: {slot.id: _repetition(slot).draft(best) for slot in slots})

    def settle(self, trials: Sequence[Trial], ratio: float) -> None:
        """Note what the drafts have won or lost."""
        self._credit.add(min(trial.n_gained for trial in trials) - ratio)

    def settle_plain(self, decoding: Sequence[Slot], ratio: float) -> None:
        """Earn something."""
        self._credit.add_plain_step(ratio)

    def _candidates(self, decoding: Sequence[Slot]) -> list[Slot]:
        """The slots that have a guess and may use it; none if all must have one, and one has not."""
        candidates = []
        for slot in decoding:
            if room_of(slot, self._n_ctx) >= LENGTHS[0] and _repetition(slot).has_guess:
                candidates.append(slot)
            elif self._is_careful:
                return []
        return candidates


def _repetition(slot: Slot) -> Repetition:
    """What the slot's sequence, which decodes, repeats."""
    sequence = slot.sequence
    assert sequence is not None
    assert sequence.pending is not None
    if sequence.repetition is None:
        sequence.repetition = Repetition([*tokens_of(slot.items), sequence.pending])
    return sequence.repetition
