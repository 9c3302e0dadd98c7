"""The scripted model, whose calls can be watched and made to fail."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from service.engine.language_model import DecodeFailed, MediaSegment, Rows, SavedSequence, Segment
from service.testing.scripted_memory import ScriptedMemory
from service.testing.scripted_model import ScriptedCompute, ScriptedModel
from tests.engine.words import positions
from tests.support.tiled_model import TiledCompute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Watch:
    """Who is told what a model does, and which of it fails.

    Attributes:
        on_batch: called before each evaluation of tokens, with its segments and filler.
        on_media: called before each evaluation of rows of media, with its segments.
        on_failure: called with the error of one that failed.
        on_change: called with a description of each change of the memory that no evaluation makes.
        name_of: what a sequence is called there.
        fails_to_save: the error with which copies of sequences fail, None if they do not.
        fails_to_restore: whether copies cannot be restored.
    """

    def __init__(self) -> None:
        self.on_batch: Callable[[Sequence[Segment], int], None] = lambda segments, n_filler: None
        self.on_media: Callable[[Sequence[MediaSegment]], None] = lambda segments: None
        self.on_failure: Callable[[Exception], None] = lambda error: None
        self.on_change: Callable[[str], None] = lambda change: None
        self.name_of: Callable[[int], str] = str
        self.fails_to_save: Exception | None = None
        self.fails_to_restore = False


class ObservedCompute(ScriptedCompute):
    """Tells what it is asked to evaluate."""

    watch: Watch

    def use_adapters(self, scales: Sequence[float]) -> None:
        """Scale adapters, and tell if the model has any and is complete."""
        super().use_adapters(scales)
        if scales and hasattr(self, "watch"):
            self.watch.on_change(f"adapters: {', '.join(f'{scale:g}' for scale in scales)}")

    def decode(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        """Tell, then evaluate."""
        self.watch.on_batch(segments, n_filler)
        with self._failures():
            super().decode(segments, n_filler)

    def hidden(self, segments: Sequence[Segment]) -> Rows:
        """Tell, then evaluate."""
        self.watch.on_batch(segments, 0)
        with self._failures():
            return super().hidden(segments)

    def decode_media(self, segments: Sequence[MediaSegment]) -> None:
        """Tell, then evaluate."""
        self.watch.on_media(segments)
        with self._failures():
            super().decode_media(segments)

    def hidden_media(self, segments: Sequence[MediaSegment]) -> Rows:
        """Tell, then evaluate."""
        self.watch.on_media(segments)
        with self._failures():
            return super().hidden_media(segments)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.watch.on_failure(error)
            raise


class ObservedMemory(ScriptedMemory):
    """Tells how sequences change without being evaluated."""

    watch: Watch

    def remove(self, seq_id: int, start: int, end: int) -> bool:
        """Forget positions, and tell unless there were none."""
        highest = self.position_max(seq_id)
        succeeded = super().remove(seq_id, start, end)
        last = highest if end < 0 else min(end - 1, highest)
        if start <= last:
            what = f"{positions(start, last)} of" if start > 0 or last < highest else "all of"
            self._tell(f"remove {what} {self.watch.name_of(seq_id)}", succeeded)
        return succeeded

    def fork(self, source: int, target: int, end: int) -> bool:
        """Share cells, and tell."""
        succeeded = super().fork(source, target, end)
        names = f"{self.watch.name_of(source)} with {self.watch.name_of(target)}"
        self._tell(f"share {positions(0, end - 1)} of {names}", succeeded)
        return succeeded

    def unshare(self, seq_id: int) -> None:
        """Copy cells, and tell."""
        super().unshare(seq_id)
        self.watch.on_change(f"copy shared cells of {self.watch.name_of(seq_id)}")

    def save(self, seq_id: int) -> SavedSequence:
        """Copy a sequence, and tell; or fail if that is planned."""
        if self.watch.fails_to_save is not None:
            self._tell(f"save {self.watch.name_of(seq_id)}", False)
            raise self.watch.fails_to_save
        saved = super().save(seq_id)
        self.watch.on_change(f"save {self.watch.name_of(seq_id)}: {saved.n_cells} cells")
        return saved

    def restore(self, seq_id: int, saved: SavedSequence) -> None:
        """Write a sequence, and tell; or fail if that is planned."""
        if self.watch.fails_to_restore:
            self._tell(f"restore {self.watch.name_of(seq_id)}", False)
            raise DecodeFailed("restoring fails, as planned")
        super().restore(seq_id, saved)
        self.watch.on_change(f"restore {self.watch.name_of(seq_id)}: {saved.n_cells} cells")

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Move positions, and tell."""
        super().shift(seq_id, start, end, delta)
        self.watch.on_change(f"move {positions(start, end - 1)} of {self.watch.name_of(seq_id)} by {delta}")

    def divide(self, seq_id: int, start: int, end: int, divisor: int) -> None:
        """Divide positions, and tell."""
        super().divide(seq_id, start, end, divisor)
        self.watch.on_change(f"divide {positions(start, end - 1)} of {self.watch.name_of(seq_id)} by {divisor}")

    def _tell(self, call: str, succeeded: bool) -> None:
        self.watch.on_change(call if succeeded else f"{call}: refused")


class ObservedModel(ScriptedModel):
    """Tells what it is asked to do.

    Args:
        options: those of ``ScriptedModel``.

    Attributes:
        watch: who is told.
    """

    compute_type: type[ScriptedCompute] = ObservedCompute
    memory_type = ObservedMemory

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        assert isinstance(self.compute, ObservedCompute)
        assert isinstance(self.memory, ObservedMemory)
        self.watch = self.compute.watch = self.memory.watch = Watch()


class ObservedTiledCompute(ObservedCompute, TiledCompute):
    """Tells what it is asked to evaluate, and takes its time below a tile."""


class ObservedTiledModel(ObservedModel):
    """The same with batches that are dear below a tile."""

    compute_type = ObservedTiledCompute
