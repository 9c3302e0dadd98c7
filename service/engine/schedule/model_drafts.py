"""Drafts by a smaller model, while they pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.engine.cache.salts import salt_without_adapters
from service.engine.draft.drafter import DraftTask
from service.engine.request.items import tokens_of
from service.engine.request.state import SequenceState
from service.engine.schedule.draft_chances import DraftChances
from service.engine.schedule.draft_cost import DraftCost
from service.engine.schedule.draft_credit import DraftCredit
from service.engine.schedule.draft_source import MIN_GAIN, Drafts, Offer, room_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.cache.slots import Slot
    from service.engine.draft.drafter import Drafter
    from service.engine.parts import EngineParts
    from service.engine.request.sequence import RunningSequence, SequenceLife
    from service.engine.schedule.draft_source import Trial
    from service.engine.schedule.step_cost import StepCost

#: Lengths of drafts, as far as they are wanted. There are few, so that the cost of each is soon known.
LENGTHS = (1, 3, 7, 15, 31)
#: Tried first with a number of sequences, to see what drafts cost.
FIRST_LENGTH = 3
#: How many plain steps drafts may have lost before the first step that earns any, and how many they may save up.
FIRST_CREDIT, MAX_CREDIT = 8.0, 32.0
#: The same for reading sequences, without which nothing can be guessed.
FIRST_READING, MAX_READING = 128.0, 1024.0
#: Unread tokens of a sequence that are left to the call that guesses.
NEAR = 8
#: Reading must promise so many times the time that it takes.
READING_MARGIN = 1.5
#: Tokens that the first call reads, and that a later one reads at least and at most.
FIRST_CHUNK, MIN_CHUNK, MAX_CHUNK = 64, 32, 512
#: After so many steps with drafts there are two without, by which the time of steps without stays known.
REFRESHED_AFTER, N_REFRESHING = 64, 2
#: Tokens that sequences have on average, before any has ended; and the weight of the last one that has.
FIRST_TYPICAL, TYPICAL_SMOOTHING = 128.0, 0.05


class ModelDrafts:
    """A ``DraftSource``: what a smaller model would say.

    A step has drafts only if each of its sequences is expected to gain by the time that they take, the draft model's
    included; so nobody waits for the drafts of others. What they lose is bounded, whatever was expected: a credit in
    plain steps pays in advance for drafts of which nothing is right, and another one for reading sequences, which is
    done in calls that take no longer than prompts may.

    Args:
        parts: of the engine.
        drafter: guesses.
        cost: what steps with drafts take.
    """

    def __init__(self, parts: EngineParts, drafter: Drafter, cost: StepCost) -> None:
        config = parts.config
        self._drafter = drafter
        self._clock = parts.clock
        self._totals = parts.totals
        self._n_ctx = config.n_ctx_slot
        self._min_length, self._min_chance = config.draft_min, config.draft_p_min
        self._lengths = wanted_lengths(config.draft_min, config.draft_max)
        self._reading_s = config.prefill_budget_ms / 1000
        self._step_cost = cost
        self._draft_cost = DraftCost()
        self._credit = DraftCredit(FIRST_CREDIT, MAX_CREDIT)
        self._reading_credit = DraftCredit(FIRST_READING, MAX_READING)
        self._usual = DraftChances()
        self._typical_length = FIRST_TYPICAL
        self._n_since_plain = 0
        parts.listeners.append(self._on_move)

    # Offers ---------------------------------------------------------------------------------------------------------

    def offer(self, decoding: Sequence[Slot], room: int) -> Offer | None:
        """The length that promises most, the same for all slots; or to read their sequences, as far as they are not."""
        if self._n_since_plain >= REFRESHED_AFTER:
            return None
        longest = min(room // len(decoding), *(room_of(slot, self._n_ctx) for slot in decoding))
        lengths = [length for length in self._lengths if length <= longest]
        if not lengths or not all(map(_has_only_text, decoding)):
            return None
        length, gain = self._choose(decoding, lengths)
        if not length:
            return None
        plain_s = self._step_cost.plain_s(len(decoding))
        tasks = [_task(slot) for slot in decoding]
        if not all(self._drafter.can_follow(task, length) for task in tasks):
            return None
        unread = [task for task in tasks if self._drafter.n_unread(task) > NEAR]
        if not unread:
            return Offer(gain, lambda: self._make(decoding, tasks, length))
        return (
            Offer(gain, lambda: self._read(unread, plain_s)) if self._is_worth_reading(decoding, unread, gain) else None
        )

    def _choose(self, decoding: Sequence[Slot], lengths: Sequence[int]) -> tuple[int, float]:
        """The best of these lengths and what it promises; (0, 0) if none is worth its time."""
        n_sequences = len(decoding)
        if not self._step_cost.is_measured(n_sequences):
            # Only a try can tell.
            length = max((length for length in lengths if length <= FIRST_LENGTH), default=lengths[0])
            return (length, MIN_GAIN) if self._can_lose(n_sequences, length) else (0, 0.0)
        chances = [self._chances_of(slot.sequence) for slot in decoding if slot.sequence is not None]
        best, best_gain = 0, MIN_GAIN
        for length in lengths:
            gain = self._gain(chances, length)
            if gain > best_gain and self._can_lose(n_sequences, length):
                best, best_gain = length, gain
        return (best, best_gain) if best else (0, 0.0)

    def _gain(self, chances: Sequence[DraftChances], length: int) -> float:
        """Tokens that drafts of at most this length are expected to give each sequence, in those of the same time."""
        n_sequences = len(chances)
        n_drafted = sum(chance.expected_guessed(length) for chance in chances)
        n_calls = max(chance.expected_calls(length) for chance in chances)
        ratio = self._step_cost.hopeful_ratio(n_sequences, round(n_drafted)) + n_calls * self._call(n_sequences)
        return (1.0 + min(chance.expected_right(length) for chance in chances)) / ratio

    def _can_lose(self, n_sequences: int, length: int) -> bool:
        """Whether drafts of this length are paid for, if nothing of them is right."""
        ratio = self._step_cost.hopeful_ratio(n_sequences, length * n_sequences)
        return self._credit.can_pay(ratio - 1.0 + length * self._call(n_sequences))

    def _call(self, n_sequences: int) -> float:
        """The time of one call of the drafter, in plain steps."""
        return self._draft_cost.call(n_sequences, self._step_cost.plain_s(n_sequences))

    def _chances_of(self, sequence: RunningSequence) -> DraftChances:
        if sequence.chances is None:
            sequence.chances = self._usual.copy()
        return sequence.chances

    # Reading --------------------------------------------------------------------------------------------------------

    def _is_worth_reading(self, decoding: Sequence[Slot], unread: Sequence[DraftTask], gain: float) -> bool:
        """Whether drafts of such a gain are expected to be worth all that is unread, and it can be paid."""
        plain_s = self._step_cost.plain_s(len(decoding))
        price = self._draft_cost.read(self._drafter.total_unread(unread), plain_s)
        if not self._reading_credit.can_pay(price):
            return False
        is_try = not self._step_cost.is_measured(len(decoding))
        return is_try or self._saved_by(decoding, gain) >= READING_MARGIN * price

    def _read(self, unread: Sequence[DraftTask], plain_s: float) -> Drafts:
        """Read some of what is unread; there are no drafts yet."""
        began_s = self._clock()
        n_read = self._drafter.read(unread, self._chunk())
        read_s = self._clock() - began_s
        self._totals.add_drafting(read_s)
        self._reading_credit.add(-read_s / plain_s)
        if n_read:
            self._draft_cost.observe_read(n_read, read_s)
        return {}

    def _saved_by(self, decoding: Sequence[Slot], gain: float) -> float:
        """Plain steps that drafts of such a gain are expected to save, until their sequences end."""
        n_tokens = sum(map(self._expected_length, decoding)) / len(decoding)
        return n_tokens * (1.0 - 1.0 / gain)

    def _expected_length(self, slot: Slot) -> float:
        """How many more tokens a sequence is expected to get: at least as many as it has."""
        assert slot.sequence is not None
        sampled = slot.sequence.sampled
        return min(max(self._typical_length - sampled, sampled), room_of(slot, self._n_ctx))

    def _chunk(self) -> int:
        """Tokens to read at once, in the time that prompts may take from a step."""
        n_tokens = self._draft_cost.n_readable(self._reading_s)
        return FIRST_CHUNK if n_tokens is None else min(max(n_tokens, MIN_CHUNK), MAX_CHUNK)

    def _on_move(self, life: SequenceLife, before: SequenceState) -> None:
        """Learn how long sequences are: a ``MoveListener``."""
        if life.state is SequenceState.FINISHED and life.running is not None:
            self._typical_length += TYPICAL_SMOOTHING * (life.running.sampled - self._typical_length)

    # Drafts ---------------------------------------------------------------------------------------------------------

    def _make(self, decoding: Sequence[Slot], tasks: Sequence[DraftTask], length: int) -> Drafts:
        n_sequences = len(tasks)
        began_s = self._clock()
        guesses = self._drafter.draft(tasks, length, self._min_chance)
        draft_s = self._clock() - began_s
        self._totals.add_drafting(draft_s)
        self._draft_cost.observe_calls(n_sequences, guesses.n_calls, draft_s)
        self._account(-draft_s / self._step_cost.plain_s(n_sequences))
        for slot, tokens in zip(decoding, guesses.tokens, strict=True):
            if slot.sequence is not None:
                self._chances_of(slot.sequence).observe_guess(len(tokens), length)
            self._usual.observe_guess(len(tokens), length)
        return {
            task.slot_id: tokens
            for task, tokens in zip(tasks, guesses.tokens, strict=True)
            if len(tokens) >= max(1, self._min_length)
        }

    def settle(self, trials: Sequence[Trial], ratio: float) -> None:
        """Learn from what was right, and note what the drafts have won or lost."""
        self._n_since_plain += 1
        for trial in trials:
            n_right = max(0, trial.n_gained - 1)
            is_wrong = n_right < trial.n_drafted and trial.sequence.life.state is not SequenceState.FINISHED
            for chances in (self._chances_of(trial.sequence), self._usual):
                chances.observe_trial(n_right, is_wrong=is_wrong)
        self._account(min(trial.n_gained for trial in trials) - ratio)

    def settle_plain(self, decoding: Sequence[Slot], ratio: float) -> None:
        """Earn something, and forget some of what was learnt."""
        self._n_since_plain = self._n_since_plain + 1 if self._is_refreshing else 0
        self._credit.add_plain_step(ratio)
        self._reading_credit.add_plain_step(ratio)
        self._usual.forget(DraftChances())
        for slot in decoding:
            if slot.sequence is not None and slot.sequence.chances is not None:
                slot.sequence.chances.forget(self._usual)

    def _account(self, gain: float) -> None:
        """Note plain steps that were won, or lost."""
        self._credit.add(gain)
        self._reading_credit.add(gain)

    @property
    def _is_refreshing(self) -> bool:
        """Whether another step without drafts shall follow the one that is being settled."""
        return REFRESHED_AFTER <= self._n_since_plain < REFRESHED_AFTER + N_REFRESHING - 1


def wanted_lengths(least: int, most: int) -> tuple[int, ...]:
    """The lengths of drafts from ``least`` to ``most``; the longest of all if none of ``LENGTHS`` is among these."""
    return tuple(length for length in LENGTHS if least <= length <= most) or (most,)


def _has_only_text(slot: Slot) -> bool:
    return slot.sequence is not None and slot.sequence.media is None


def _task(slot: Slot) -> DraftTask:
    sequence = slot.sequence
    assert sequence is not None
    assert sequence.pending is not None
    # The draft model has no adapters: what it has read is the same with any scales.
    salt = salt_without_adapters(sequence.request.cache_salt)
    return DraftTask(slot.id, [*tokens_of(slot.items), sequence.pending], salt)
