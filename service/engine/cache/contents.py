"""What a slot held, taken out of the cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.engine.language_model import SavedSequence
    from service.engine.request.items import Positions, PromptItem


@dataclass(frozen=True, slots=True, eq=False)
class SlotContents:
    """What a slot held, outside of the cache; the fields are those of ``Slot``."""

    items: list[PromptItem]
    positions: Positions
    shifted_at: int | None
    saved: SavedSequence
    salt: str
