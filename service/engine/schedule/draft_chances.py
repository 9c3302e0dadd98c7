"""How often guesses of a draft model are right, learnt from those that were tried."""

from __future__ import annotations

from dataclasses import dataclass

#: Before anything was tried: how often a guessed token is right, and how often the draft model guesses another one. The
#: first is what good draft models reach: nobody would find out otherwise.
FIRST_RIGHT, FIRST_SURE = 0.9, 1.0
#: Weight of the newest token that was tried.
SMOOTHING = 0.08
#: Part of what was learnt that is forgotten with each step in which nothing is tried, so that it is tried again.
FORGETTING = 1 / 500


@dataclass(slots=True)
class DraftChances:
    """Of one sequence, or of all.

    Attributes:
        right: how often a guessed token is right, if those before it are.
        sure: how often the draft model is sure enough to guess one more token.
    """

    right: float = FIRST_RIGHT
    sure: float = FIRST_SURE

    def observe_guess(self, n_guessed: int, length: int) -> None:
        """Learn from a guess of ``n_guessed`` tokens, where ``length`` were asked for."""
        for _ in range(n_guessed):
            self.sure += SMOOTHING * (1.0 - self.sure)
        if n_guessed < length:
            self.sure -= SMOOTHING * self.sure

    def observe_trial(self, n_right: int, *, is_wrong: bool) -> None:
        """Learn from tokens that were tried: how many were right, and whether the next one was wrong."""
        for _ in range(n_right):
            self.right += SMOOTHING * (1.0 - self.right)
        if is_wrong:
            self.right -= SMOOTHING * self.right

    def forget(self, usual: DraftChances) -> None:
        """Come closer to what is usual, because nothing was tried."""
        self.right += FORGETTING * (usual.right - self.right)
        self.sure += FORGETTING * (usual.sure - self.sure)

    def copy(self) -> DraftChances:
        """The same to begin with."""
        return DraftChances(self.right, self.sure)

    def expected_right(self, length: int) -> float:
        """How many tokens of a guess of at most ``length`` tokens are right on average."""
        return _geometric(self.right * self.sure, length)

    def expected_guessed(self, length: int) -> float:
        """How many tokens a guess of at most ``length`` tokens has on average."""
        return _geometric(self.sure, length)

    def expected_calls(self, length: int) -> float:
        """How many calls of the draft model it takes: one more if it ends early."""
        return 1.0 + _geometric(self.sure, length - 1)


def _geometric(chance: float, length: int) -> float:
    """The sum of ``chance`` to the powers of 1 to ``length``."""
    return float(length) if chance >= 1.0 else chance * (1.0 - chance**length) / (1.0 - chance)
