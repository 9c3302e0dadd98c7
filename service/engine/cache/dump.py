"""The ledger of the KV cache as values, to be compared with what the model holds: for tests and diagnosis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.engine.request.items import PromptItem


@dataclass(frozen=True, slots=True)
class SlotDump:
    """What is recorded of a slot. The fields are those of ``Slot``, but for ``n_indexed``.

    ``n_indexed`` is the number of first items by which prompts find the slot.
    """

    id: int
    is_idle: bool
    items: tuple[PromptItem, ...]
    salt: str
    n_shared: int
    n_reusable: int
    n_indexed: int
    next_position: int


@dataclass(frozen=True, slots=True)
class SavedDump:
    """A prompt in main memory. The fields are those of ``SavedPrompt`` and ``SavedSequence``."""

    items: tuple[PromptItem, ...]
    salt: str
    n_cells: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class LedgerDump:
    """All that is recorded.

    Attributes:
        slots: by number.
        system: the slot that holds the system prompt.
        n_slots_indexed: slots that prompts can find.
        saved: prompts in main memory, in the order in which they were saved.
        n_saved_indexed: those of them that prompts can find.
        n_saved_bytes: what they are counted to take.
    """

    slots: tuple[SlotDump, ...]
    system: SlotDump
    n_slots_indexed: int
    saved: tuple[SavedDump, ...]
    n_saved_indexed: int
    n_saved_bytes: int
