"""What tokens that are tried ahead cost in a step, learnt from how long steps took."""

from __future__ import annotations

from dataclasses import dataclass

from service.engine.schedule.moving_average import MAX_OUTLIER, MovingAverage

#: Cost of one token more before any was tried, in parts of a step with one token.
FIRST_PRICE = 0.5
#: Steps that tell what their like take: the first one of a kind takes longer than others.
FEW = 3
#: What tokens beyond the most that were tried are hoped to cost, in parts of what those did: kernels share the work of
#: reading weights between rows.
HOPE = 0.5
#: Steps after which a measurement is too old, because contexts have grown and the machine may have other work.
MAX_AGE = 2000


@dataclass(slots=True)
class _Estimate(MovingAverage):
    """An average that was last changed in step number ``step``."""

    step: int = 0

    def observe_in(self, step: int, value: float) -> None:
        self.observe(value)
        self.step = step


class StepCost:
    """How long steps without prompts take, by sequences and by tokens that are tried ahead.

    What a token more costs is no line: kernels take two rows in twice the time of one, and eight in five times. So each
    number of tokens has an average of its own, in parts of a step of the same sequences without drafts. That one is
    measured all the time, and follows growing contexts and a busier machine.
    """

    def __init__(self) -> None:
        self._step = 0
        self._was_drafted = False
        self._plain: dict[int, _Estimate] = {}
        #: For each number of sequences, by tokens tried ahead: times in parts of a plain step.
        self._ratios: dict[int, dict[int, _Estimate]] = {}

    def observe(self, n_sequences: int, n_drafted: int, step_s: float) -> float:
        """Learn from a step that took ``step_s`` seconds; how many steps without drafts it took as long as."""
        self._step += 1
        was_drafted, self._was_drafted = self._was_drafted, n_drafted > 0
        plain = self._plain.get(n_sequences)
        if plain is None:
            if not n_drafted:
                self._plain.setdefault(n_sequences, _Estimate()).observe_in(self._step, step_s)
            return self.ratio(n_sequences, n_drafted)
        ratio = step_s / plain.value if plain.value > 0 else 1.0
        if not n_drafted:
            # The first step behind one with drafts builds its graph anew, which is a part of what those cost.
            if was_drafted:
                return min(ratio, MAX_OUTLIER)
            plain.observe_in(self._step, step_s)
            return 1.0
        self._ratios.setdefault(n_sequences, {}).setdefault(n_drafted, _Estimate()).observe_in(self._step, ratio)
        return ratio

    def is_known(self, n_sequences: int) -> bool:
        """Whether there was a step of so many sequences without drafts, with which others can be compared."""
        return n_sequences in self._plain

    def is_measured(self, n_sequences: int) -> bool:
        """Whether there were a few steps of so many sequences with equally many drafted tokens, not too long ago."""
        ratios = self._ratios.get(n_sequences, {})
        return any(self._step - known.step <= MAX_AGE and known.n_observed >= FEW for known in ratios.values())

    def plain_s(self, n_sequences: int) -> float:
        """Seconds of a step of so many sequences without drafts; only if it ``is_known``."""
        return max(self._plain[n_sequences].value, 1e-9)

    def hopeful_ratio(self, n_sequences: int, n_drafted: int) -> float:
        """The same as ``ratio``, but tokens beyond the most that were tried count half: so that more are tried."""
        most = max(self._ratios.get(n_sequences, {}), default=0)
        if not 0 < most < n_drafted:
            return self.ratio(n_sequences, n_drafted)
        ratio = self.ratio(n_sequences, most)
        return ratio + HOPE * (ratio - 1.0) * (n_drafted - most) / most

    def ratio(self, n_sequences: int, n_drafted: int) -> float:
        """The time of a step with so many tokens tried ahead, in steps of the same sequences without; at least 1.

        Without a measurement, what a token costs is taken from the most similar number of tokens.
        """
        ratios = self._ratios.get(n_sequences, {})
        if (known := ratios.get(n_drafted)) is not None:
            if self._step - known.step <= MAX_AGE:
                return max(1.0, known.value)
            del ratios[n_drafted]
        if not ratios:
            return 1.0 + FIRST_PRICE * n_drafted / n_sequences
        nearest = min(ratios, key=lambda n_tokens: abs(n_tokens - n_drafted))
        return max(1.0, 1.0 + (ratios[nearest].value - 1.0) * n_drafted / nearest)
