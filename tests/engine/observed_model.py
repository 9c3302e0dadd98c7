"""The scripted model, whose calls can be watched and made to fail."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from service.engine.language_model import DecodeFailed, Rows, SavedSequence, Segment
from service.testing.scripted_model import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class ObservedModel(ScriptedModel):
    """Tells what it is asked to do.

    Args:
        options: those of ``ScriptedModel``.

    Attributes:
        on_batch: called before each evaluation, with its segments and filler.
        on_failure: called with the error of one that failed.
        on_change: called with a description of each change of its memory that no evaluation makes.
        name_of: what a sequence is called there.
        fails_to_save, fails_to_restore: whether copies of sequences fail.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.on_batch: Callable[[Sequence[Segment], int], None] = lambda segments, n_filler: None
        self.on_failure: Callable[[Exception], None] = lambda error: None
        self.on_change: Callable[[str], None] = lambda change: None
        self.name_of: Callable[[int], str] = str
        self.fails_to_save = self.fails_to_restore = False

    def decode(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        """Tell, then evaluate."""
        with self._evaluation(segments, n_filler):
            super().decode(segments, n_filler)

    def hidden(self, segments: Sequence[Segment]) -> Rows:
        """Tell, then evaluate."""
        with self._evaluation(segments):
            return super().hidden(segments)

    def encode(self, inputs: Sequence[Sequence[int]]) -> Rows:
        """Tell, then evaluate; inputs have no sequences, so they are numbered in the order of the call."""
        first = self.info.n_seq_max - len(inputs)
        with self._evaluation([Segment(first + place, 0, tokens, 0) for place, tokens in enumerate(inputs)]):
            return super().encode(inputs)

    def remove(self, seq_id: int, start: int, end: int) -> bool:
        """Forget positions, and tell unless there were none."""
        highest = self.position_max(seq_id)
        succeeded = super().remove(seq_id, start, end)
        last = highest if end < 0 else min(end - 1, highest)
        if start <= last:
            what = f"positions {start}-{last} of" if start > 0 or last < highest else "all of"
            self._tell(f"remove {what} {self.name_of(seq_id)}", succeeded)
        return succeeded

    def fork(self, source: int, target: int, end: int) -> bool:
        """Share cells, and tell."""
        succeeded = super().fork(source, target, end)
        self._tell(f"share positions 0-{end - 1} of {self.name_of(source)} with {self.name_of(target)}", succeeded)
        return succeeded

    def unshare(self, seq_id: int) -> None:
        """Copy cells, and tell."""
        super().unshare(seq_id)
        self.on_change(f"copy shared cells of {self.name_of(seq_id)}")

    def save(self, seq_id: int) -> SavedSequence:
        """Copy a sequence, and tell; or fail if that is planned."""
        if self.fails_to_save:
            self._tell(f"save {self.name_of(seq_id)}", False)
            raise DecodeFailed("saving fails, as planned")
        saved = super().save(seq_id)
        self.on_change(f"save {self.name_of(seq_id)}: {saved.n_cells} cells")
        return saved

    def restore(self, seq_id: int, saved: SavedSequence) -> None:
        """Write a sequence, and tell; or fail if that is planned."""
        if self.fails_to_restore:
            self._tell(f"restore {self.name_of(seq_id)}", False)
            raise DecodeFailed("restoring fails, as planned")
        super().restore(seq_id, saved)
        self.on_change(f"restore {self.name_of(seq_id)}: {saved.n_cells} cells")

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Move positions, and tell."""
        super().shift(seq_id, start, end, delta)
        self.on_change(f"move positions {start}-{end - 1} of {self.name_of(seq_id)} by {delta}")

    def divide(self, seq_id: int, start: int, end: int, divisor: int) -> None:
        """Divide positions, and tell."""
        super().divide(seq_id, start, end, divisor)
        self.on_change(f"divide positions {start}-{end - 1} of {self.name_of(seq_id)} by {divisor}")

    @contextmanager
    def _evaluation(self, segments: Sequence[Segment], n_filler: int = 0) -> Iterator[None]:
        self.on_batch(segments, n_filler)
        try:
            yield
        except Exception as error:
            self.on_failure(error)
            raise

    def _tell(self, call: str, succeeded: bool) -> None:
        self.on_change(call if succeeded else f"{call}: refused")
