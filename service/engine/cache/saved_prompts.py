"""What slots held, kept in main memory for as long as it fits: evaluated once, restored in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.engine.cache.dump import SavedDump
from service.engine.cache.prefix_index import PrefixIndex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.language_model import SavedSequence
    from service.engine.request.items import Positions, PromptItem


@dataclass(slots=True, eq=False)
class SavedPrompt:
    """The items of a sequence, and a copy of what the model's memory held for them.

    Attributes:
        items: all of them as if newly evaluated.
        positions: where they are.
        saved: the copy.
        salt: of the requests that may use it.
        n_unique: items that nobody else held when it was saved: what had to be evaluated again without it.
        n_uses: how often it was saved or restored.
        priority: the lowest one goes first.
    """

    items: list[PromptItem]
    positions: Positions
    saved: SavedSequence
    salt: str
    n_unique: int
    n_uses: int = 1
    priority: float = 0.0


class SavedPrompts:
    """Saved prompts within a number of bytes; what is cheap to evaluate, large and seldom used goes first.

    The priority is that of GreedyDual-Size-Frequency: ``age + uses * cost / size``, where ``age`` is the priority of
    what went last, so that old merits fade; the cost is counted in tokens to evaluate again. Source: L. Cherkasova,
    "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy" (HP Laboratories, HPL-98-69R1).

    Args:
        max_bytes: what all of them may take, None for no limit; with 0 nothing is ever saved.

    Attributes:
        n_restored: how often one of them was restored.
    """

    def __init__(self, max_bytes: int | None) -> None:
        self._max_bytes = max_bytes
        self._prompts: dict[SavedPrompt, None] = {}
        self._index: PrefixIndex[SavedPrompt] = PrefixIndex()
        self._n_bytes = 0
        self._age = 0.0
        self._bytes_per_cell = 0.0
        self.n_restored = 0

    def __len__(self) -> int:
        return len(self._prompts)

    @property
    def n_bytes(self) -> int:
        """What they take now."""
        return self._n_bytes

    @property
    def n_indexed(self) -> int:
        """Prompts that can be found: all of them."""
        return len(self._index)

    def dump(self) -> tuple[SavedDump, ...]:
        """All of them, in the order in which they were saved."""
        return tuple(
            SavedDump(tuple(prompt.items), prompt.salt, prompt.saved.n_cells, prompt.saved.n_bytes)
            for prompt in self._prompts
        )

    def has_room(self, n_cells: int) -> bool:
        """Whether a sequence of so many cells may be saved, as estimated; others may have to go for it."""
        return self._max_bytes is None or 0 < self._max_bytes >= self.estimate_bytes(n_cells)

    def estimate_bytes(self, n_cells: int) -> float:
        """What a copy of so many cells would take, judged by the last one; 0 before the first."""
        return n_cells * self._bytes_per_cell

    def longest(
        self, salt: str, items: Sequence[PromptItem], limit: int, *, whole: bool = False
    ) -> tuple[SavedPrompt | None, int]:
        """What holds most of the first ``limit`` items, and how many; with ``whole``, only what holds no others."""
        return self._index.longest(salt, items, limit, whole=whole)

    def put(self, prompt: SavedPrompt, *, covers_beginnings: bool) -> None:
        """Keep a prompt, if it can ever fit.

        Args:
            prompt: the prompt.
            covers_beginnings: whether it can stand for its beginnings, so that others which are just those may go.
        """
        size = prompt.saved.n_bytes
        self._bytes_per_cell = size / max(1, prompt.saved.n_cells)
        if self._max_bytes is not None and size > self._max_bytes:
            return
        for other in self._index.beginnings(prompt.salt, prompt.items, len(prompt.items)):
            if covers_beginnings or len(other.items) == len(prompt.items):
                prompt.n_uses = max(prompt.n_uses, other.n_uses + 1)
                prompt.n_unique += other.n_unique
                self.remove(other)
        while self._max_bytes is not None and self._n_bytes + size > self._max_bytes:
            lowest = min(self._prompts, key=_priority)
            self._age = lowest.priority
            self.remove(lowest)
        self._prompts[prompt] = None
        self._n_bytes += size
        self._index.extend(prompt, prompt.salt, prompt.items, len(prompt.items))
        self._rank(prompt)

    def use(self, prompt: SavedPrompt) -> None:
        """Count that a prompt was restored."""
        self.n_restored += 1
        prompt.n_uses += 1
        self._rank(prompt)

    def remove(self, prompt: SavedPrompt) -> None:
        """Forget a prompt; it may have gone before."""
        if prompt in self._prompts:
            del self._prompts[prompt]
            self._n_bytes -= prompt.saved.n_bytes
            self._index.remove(prompt)

    def forget_beginnings(self, salt: str, items: Sequence[PromptItem]) -> int:
        """Forget those of which all items are the first ones of these; the number of items of the longest one."""
        prompts = self._index.beginnings(salt, items, len(items))
        for prompt in prompts:
            self.remove(prompt)
        return max((len(prompt.items) for prompt in prompts), default=0)

    def clear(self) -> None:
        """Forget all."""
        for prompt in list(self._prompts):
            self.remove(prompt)

    def _rank(self, prompt: SavedPrompt) -> None:
        prompt.priority = self._age + prompt.n_uses * prompt.n_unique / max(1, prompt.saved.n_bytes)


def _priority(prompt: SavedPrompt) -> float:
    return prompt.priority
