"""A ``Drafter`` that is a smaller model with the same vocabulary, which says what it would say itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from service.engine.cache.prefix_index import count_common
from service.engine.draft.drafter import DraftTask, Guesses
from service.engine.language_model import CacheFull, DecodeFailed, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.language_model import CausalModel, Logits

#: Tokens that must be spared by looking beyond what a slot was read for: to others, or behind a context shift.
MIN_SPARED = 32
#: Cells that sequences which nobody asks for may keep while others are guessed. A call walks over all cells.
IDLE_CELLS = 1024


@dataclass(slots=True)
class _Read:
    """What was read for a slot.

    Attributes:
        tokens: the tokens that the model's memory holds, in order; position and number are the same.
        salt: of the sequence that they come from.
        used: number of the call in which they were last used.
    """

    tokens: list[int] = field(default_factory=list)
    salt: str = ""
    used: int = 0


class ModelDrafter:
    """Has a sequence of the draft model for each slot, and makes it hold what the slot's sequence begins with.

    What is already held is found by comparing tokens: those of the slot, those of other slots, which are shared, and
    those behind a context shift, which move. So nobody tells it what becomes of a sequence.

    Args:
        model: the draft model, which can take back tokens; its sequences are the slots'.
        n_slots: number of slots.
        n_vocab: tokens of the vocabulary that both models know; they are the first ones of each.
    """

    def __init__(self, model: CausalModel, n_slots: int, n_vocab: int) -> None:
        self._info = model.info
        self._compute = model.compute
        self._memory = model.memory
        self._n_vocab = min(n_vocab, model.info.n_vocab)
        self._read = [_Read() for _ in range(n_slots)]
        self._n_calls = 0

    # Questions ------------------------------------------------------------------------------------------------------

    def can_follow(self, task: DraftTask, n_more: int) -> bool:
        """Whether there would be cells for it, and its new tokens are known; see ``Drafter.can_follow``."""
        if len(task.tokens) + n_more > self._info.n_cells:
            return False
        n_known = self._n_held(task)
        return max(task.tokens[n_known:]) < self._n_vocab

    def n_unread(self, task: DraftTask) -> int:
        """Tokens that no slot holds yet; see ``Drafter.n_unread``."""
        n_tokens = len(task.tokens)
        n_held = self._n_held(task)
        if n_tokens - n_held > MIN_SPARED:
            n_held = max(n_held, self._best_other(task)[1], self._behind_shift(task)[1])
        return n_tokens - n_held

    def total_unread(self, tasks: Sequence[DraftTask]) -> int:
        """See ``Drafter.total_unread``."""
        return sum(
            min(self.n_unread(task), len(task.tokens) - _shared(task, tasks[:number]))
            for number, task in enumerate(tasks)
        )

    def _n_held(self, task: DraftTask) -> int:
        """Tokens of a sequence, without the last one, that its slot's sequence begins with."""
        read = self._read[task.slot_id]
        return count_common(read.tokens, task.tokens, 0, len(task.tokens) - 1) if read.salt == task.salt else 0

    def _best_other(self, task: DraftTask) -> tuple[int, int]:
        """The slot, of the others, that holds most of a sequence, and how much that is."""
        lengths = (
            (count_common(read.tokens, task.tokens, 0, len(task.tokens) - 1), slot_id)
            for slot_id, read in enumerate(self._read)
            if slot_id != task.slot_id and read.salt == task.salt
        )
        length, slot_id = max(lengths, default=(0, 0))
        return slot_id, length

    def _behind_shift(self, task: DraftTask) -> tuple[int, int]:
        """By how many tokens a context shift has moved what the slot holds, and what would be held with it moved.

        A shift leaves out some tokens in the middle; (0, 0) if there was none that this could find.
        """
        read, tokens = self._read[task.slot_id], task.tokens
        n_equal = self._n_held(task)
        if read.salt != task.salt or not self._info.can_shift or len(read.tokens) - n_equal <= MIN_SPARED:
            return 0, 0
        key = tokens[n_equal : n_equal + MIN_SPARED]
        for start in range(n_equal + 1, len(read.tokens) - len(key) + 1):
            if read.tokens[start] == key[0] and read.tokens[start : start + len(key)] == key:
                n_more = count_common(read.tokens[start:], tokens, n_equal, len(tokens) - 1)
                return start - n_equal, n_equal + n_more
        return 0, 0

    # Work -----------------------------------------------------------------------------------------------------------

    def read(self, tasks: Sequence[DraftTask], n_tokens: int) -> int:
        """Evaluate tokens of sequences for what follows; see ``Drafter.read``."""
        self._begin(tasks)
        segments: list[Segment] = []
        room = min(n_tokens, self._info.n_batch)
        for number, task in enumerate(tasks):
            n_held = len(self._read[task.slot_id].tokens)
            if _shared(task, tasks[:number]) > n_held + MIN_SPARED:
                # What an earlier one reads now is taken from there afterwards.
                continue
            if chunk := task.tokens[n_held : min(len(task.tokens) - 1, n_held + room)]:
                segments.append(Segment(task.slot_id, n_held, chunk, 0))
                room -= len(chunk)
            if not room:
                break
        n_read = sum(len(segment.tokens) for segment in segments)
        return n_read if segments and self._decode(segments, tasks) else 0

    def draft(self, tasks: Sequence[DraftTask], length: int, min_chance: float) -> Guesses:
        """Let the model say its most probable tokens, those of all sequences in one call; see ``Drafter.draft``."""
        self._begin(tasks)
        guesses: list[list[int]] = [[] for _ in tasks]
        going_on = list(range(len(tasks)))
        n_calls = 0
        while going_on:
            segments = [self._next_segment(tasks[index], guesses[index]) for index in going_on]
            if not self._decode(segments, tasks):
                break
            n_calls += 1
            going_on = self._take(going_on, guesses, length, min_chance)
        return Guesses(guesses, n_calls)

    def _next_segment(self, task: DraftTask, guess: list[int]) -> Segment:
        """What comes behind the tokens that are held: the end of the sequence, then its guessed tokens."""
        n_held = len(self._read[task.slot_id].tokens)
        return Segment(task.slot_id, n_held, [*task.tokens[n_held:], *guess[-1:]], 1)

    def _take(self, asked: list[int], guesses: list[list[int]], length: int, min_chance: float) -> list[int]:
        """Append the tokens that the last call says; return which guesses go on."""
        matrix = self._compute.all_logits()[:, : self._n_vocab]
        going_on = []
        for index, row, token in zip(asked, matrix, matrix.argmax(axis=1).tolist(), strict=True):
            if min_chance > 0 and _chance(row, token) < min_chance:
                continue
            guesses[index].append(token)
            if len(guesses[index]) < length and token not in self._info.eog_tokens:
                going_on.append(index)
        return going_on

    def _decode(self, segments: list[Segment], tasks: Sequence[DraftTask]) -> bool:
        """Evaluate segments; False, with nothing changed, if there are no cells for them."""
        n_tokens = sum(len(segment.tokens) for segment in segments)
        if n_tokens > self._info.n_batch or not self._make_room(n_tokens, tasks):
            return False
        try:
            self._compute.decode(segments)
        except CacheFull:
            return False
        except DecodeFailed:
            for segment in segments:
                self._drop(segment.seq_id)
            raise
        for segment in segments:
            self._read[segment.seq_id].tokens.extend(segment.tokens)
        return True

    # What is held ---------------------------------------------------------------------------------------------------

    def _begin(self, tasks: Sequence[DraftTask]) -> None:
        """Make the slots' sequences hold what the tasks begin with, as far as that is held anywhere."""
        self._n_calls += 1
        for task in tasks:
            self._align(task)
            self._read[task.slot_id].used = self._n_calls
        self._limit_idle(tasks)

    def _align(self, task: DraftTask) -> None:
        """Make a slot's sequence hold nothing but a beginning of a task's tokens, without the last one."""
        read, slot_id = self._read[task.slot_id], task.slot_id
        n_held = self._n_held(task)
        if len(task.tokens) - n_held > MIN_SPARED:
            other, n_others = self._best_other(task)
            n_moved, n_behind = self._behind_shift(task)
            if n_behind >= max(n_others, n_held + MIN_SPARED) and self._move(slot_id, n_held, n_moved):
                n_held = n_behind
            elif n_others >= n_held + MIN_SPARED:
                self._drop(slot_id)
                if self._memory.fork(other, slot_id, n_others):
                    read.tokens, n_held = self._read[other].tokens[:n_others], n_others
        self._cut(slot_id, n_held)
        read.salt = task.salt

    def _move(self, slot_id: int, start: int, n_moved: int) -> bool:
        """Leave out ``n_moved`` tokens from ``start`` on, and let those behind move up; whether that was possible."""
        tokens = self._read[slot_id].tokens
        try:
            self._memory.unshare(slot_id)
        except CacheFull:
            return False
        if not self._memory.remove(slot_id, start, start + n_moved):
            return False
        self._memory.shift(slot_id, start + n_moved, len(tokens), -n_moved)
        del tokens[start : start + n_moved]
        return True

    def _cut(self, slot_id: int, length: int) -> None:
        """Keep the first ``length`` tokens of a slot's sequence, or none if the memory cannot be cut there."""
        tokens = self._read[slot_id].tokens
        if length < len(tokens):
            if self._memory.remove(slot_id, length, -1):
                del tokens[length:]
            else:
                self._drop(slot_id)

    def _drop(self, slot_id: int) -> None:
        self._memory.remove(slot_id, 0, -1)
        self._read[slot_id].tokens = []

    def _limit_idle(self, tasks: Sequence[DraftTask]) -> None:
        """Forget sequences that nobody asks for, the least recently used first, if they are long."""
        idle = self._idle(tasks)
        n_cells = sum(len(self._read[slot_id].tokens) for slot_id in idle)
        while n_cells > IDLE_CELLS:
            n_cells -= len(self._read[idle[0]].tokens)
            self._drop(idle.pop(0))

    def _make_room(self, n_cells: int, tasks: Sequence[DraftTask]) -> bool:
        """Free cells by forgetting sequences that nobody asks for; whether there are enough."""
        for slot_id in self._idle(tasks):
            if self._memory.cells_free >= n_cells:
                break
            self._drop(slot_id)
        return self._memory.cells_free >= n_cells

    def _idle(self, tasks: Sequence[DraftTask]) -> list[int]:
        """Slots that hold something and have no task, the least recently used first."""
        asked = {task.slot_id for task in tasks}
        idle = [slot_id for slot_id, read in enumerate(self._read) if read.tokens and slot_id not in asked]
        return sorted(idle, key=lambda slot_id: self._read[slot_id].used)


def _shared(task: DraftTask, others: Sequence[DraftTask]) -> int:
    """Most tokens that a sequence has in common with one of others, without its last one."""
    limit = len(task.tokens) - 1
    alike = (other for other in others if other.salt == task.salt)
    return max((count_common(other.tokens, task.tokens, 0, limit) for other in alike), default=0)


def _chance(row: Logits, token: int) -> float:
    """The probability of the most probable token of a row."""
    return float(1.0 / np.exp(row - row[token]).sum())
