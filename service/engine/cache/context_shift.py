"""Arithmetic of a slot's context: which prompt tokens stay, and what a context shift discards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Tokens of a slot that ``n_keep`` may never claim, so that there is room to go on.
KEEP_MARGIN = 4

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ContextShift:
    """Positions ``start`` to ``end - 1`` are removed, and all later ones move down by ``end - start``."""

    start: int
    end: int

    @property
    def discarded(self) -> int:
        """Number of removed positions."""
        return self.end - self.start


def resolve_n_keep(n_keep: int, n_prompt: int, n_ctx: int) -> int:
    """Prompt tokens to keep: -1 means all of them, and a few tokens of the slot always stay free."""
    wanted = n_prompt if n_keep < 0 else min(n_keep, n_prompt)
    return max(0, min(wanted, n_ctx - KEEP_MARGIN))


def truncate_prompt(prompt: Sequence[Item], n_ctx: int, n_keep: int) -> tuple[Item, ...]:
    """Shorten a prompt to less than ``n_ctx`` tokens: the first ``n_keep`` and the last ones stay.

    Whole blocks of half the remaining context are dropped from the middle, so that a growing prompt keeps its cut in
    the same place for a while.

    Args:
        prompt: of tokens; returned as it is if it is shorter than ``n_ctx``.
        n_ctx: tokens of context in the slot.
        n_keep: resolved by ``resolve_n_keep``.
    """
    if len(prompt) < n_ctx:
        return tuple(prompt)
    block = (n_ctx - n_keep) // 2
    return _without_blocks(prompt, n_keep, block, (len(prompt) - n_keep - block) // block)


def drop_blocks(prompt: Sequence[Item], n_ctx: int, n_keep: int) -> tuple[Item, ...]:
    """Shorten a prompt to about ``n_ctx`` tokens, of which ``truncate_prompt`` makes the same as of the whole one.

    A queue full of the longest prompts allowed would otherwise hold gigabytes of token ids. As truncation drops whole
    blocks from one place, some of them can go beforehand; what is left still does not fit into a slot.

    Args:
        prompt: token ids; returned as it is if it is shorter than ``n_ctx``.
        n_ctx: tokens of context in the slot.
        n_keep: as it was asked for, -1 for all.
    """
    if len(prompt) < n_ctx:
        return tuple(prompt)
    n_keep = resolve_n_keep(n_keep, len(prompt), n_ctx)
    block = (n_ctx - n_keep) // 2
    return _without_blocks(prompt, n_keep, block, (len(prompt) - n_ctx) // block)


def _without_blocks(prompt: Sequence[Item], n_keep: int, block: int, n_blocks: int) -> tuple[Item, ...]:
    """A prompt without ``n_blocks`` blocks of ``block`` tokens behind the first ``n_keep``."""
    return (*prompt[:n_keep], *prompt[n_keep + n_blocks * block :])


def plan_shift(n_tokens: int, n_ctx: int, n_keep: int) -> ContextShift:
    """Which positions to discard from a full context: half of what is not kept.

    A large ``n_keep`` is cut down so that at least a quarter of the context remains movable; otherwise every token
    would cost a shift.

    Args:
        n_tokens: tokens in the KV cache.
        n_ctx: tokens of context in the slot.
        n_keep: first positions that must stay, BOS included.
    """
    keep = min(n_keep, n_ctx - max(n_ctx // 4, 2))
    discard = max(1, (n_tokens - keep) // 2)
    return ContextShift(keep, keep + discard)
