"""Items of media for tests of what holds, finds and shares prompts: there are none in the product yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.engine.request.items import PromptItem


@dataclass(frozen=True, slots=True)
class PictureItem:
    """A ``MediaItem``: what one cell holds of a picture. Equal to the same part of a picture with the same content."""

    content: str
    number: int
    n_before: int
    n_positions: int


def picture(
    content: str, n_items: int, *, is_divisible: bool = False, n_positions: int | None = None
) -> list[PromptItem]:
    """The items of a picture.

    Args:
        content: pictures of equal content are the same.
        n_items: cells that it takes.
        is_divisible: whether a part of it can be evaluated without the others.
        n_positions: positions that all of it takes, with all cells at the first one; None for one position per cell.
    """
    return [
        PictureItem(
            content,
            number,
            n_before=0 if is_divisible else number,
            n_positions=1 if n_positions is None else n_positions if number == n_items - 1 else 0,
        )
        for number in range(n_items)
    ]
