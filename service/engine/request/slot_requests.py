"""What can be asked for of a slot itself: to copy out what it holds, to hold what was copied, to forget it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.request.items import PromptItem


@dataclass(frozen=True, slots=True, eq=False)
class SlotImage:
    """What a slot held, as it can be kept beyond the life of this process.

    Attributes:
        items: all of them as if newly evaluated.
        n_system: how many of them are the system prompt.
        salt: of the requests that may use it.
        tenant: whose it is.
        adapter_scales: of LoRA adapters, with which they were evaluated.
        packed: what the model's memory held for them, in buffers one after the other; see ``Memory.pack``.
    """

    items: Sequence[PromptItem]
    n_system: int
    salt: str
    tenant: str
    adapter_scales: tuple[float, ...]
    packed: Sequence[memoryview]


@dataclass(frozen=True, slots=True)
class SaveSlot:
    """Asks for the image of a slot, which a tenant must own."""

    slot_id: int
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class RestoreSlot:
    """Asks to let a slot hold an image, of one buffer; its tenant is the one who asks."""

    slot_id: int
    image: SlotImage


@dataclass(frozen=True, slots=True)
class EraseSlot:
    """Asks to forget what a slot holds, which a tenant must own."""

    slot_id: int
    tenant: str = ""


SlotRequest = SaveSlot | RestoreSlot | EraseSlot
