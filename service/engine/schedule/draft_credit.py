"""What drafts may lose: an account in steps without drafts, from which they are paid in advance."""

from __future__ import annotations

#: Part of the time of steps without drafts that drafts may lose.
LOSS_SHARE = 0.01


class DraftCredit:
    """An account in plain steps: the time of steps without drafts.

    Args:
        first: plain steps that may be lost before the first of them.
        most: plain steps that may be saved up.
    """

    def __init__(self, first: float, most: float) -> None:
        self._balance = first
        self._most = most

    def can_pay(self, price: float) -> bool:
        """Whether there is enough for so many plain steps."""
        return price <= self._balance

    def add(self, gain: float) -> None:
        """Take in what was won, or pay what was lost if that is negative, in plain steps."""
        self._balance = min(self._balance + gain, self._most)

    def add_plain_step(self, ratio: float) -> None:
        """Take in the share of a step without drafts that took as long as ``ratio`` plain steps."""
        self.add(LOSS_SHARE - (ratio - 1.0))
