"""Media for tests of what holds, finds and shares prompts, as the projector of the scripted model would make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.engine.request.media import MediaChunk
from service.testing.scripted_media import media_chunk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.engine.request.items import PromptItem

#: Length of a row of the scripted model in tests with media.
WIDTH = 6


def picture(
    content: str, n_items: int, *, is_divisible: bool = False, n_positions: int | None = None
) -> list[PromptItem]:
    """The items of a picture.

    Args:
        content: pictures of equal content and as many items are the same.
        n_items: cells that it takes.
        is_divisible: whether a part of it can be evaluated without the others.
        n_positions: positions that all of it takes, with all cells at the first one; None for one position per cell.
    """
    is_causal = is_divisible or n_positions is not None
    return list(media_chunk(content, n_items, width=WIDTH, n_positions=n_positions, is_causal=is_causal).items)


def prompt_of(*parts: Sequence[int] | MediaChunk) -> tuple[PromptItem, ...]:
    """The items of a prompt of tokens and chunks."""
    items: list[PromptItem] = []
    for part in parts:
        items += part.items if isinstance(part, MediaChunk) else part
    return tuple(items)


def media_of(*parts: Sequence[int] | MediaChunk) -> Mapping[bytes, MediaChunk]:
    """The chunks among parts of a prompt, by key, as requests have them."""
    return {part.key: part for part in parts if isinstance(part, MediaChunk)}


def step_of(item: PromptItem) -> int:
    """By how much the position of the next item is above that of this one."""
    return 1 if isinstance(item, int) else item.n_positions
