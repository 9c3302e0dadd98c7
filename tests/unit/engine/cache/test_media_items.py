"""What slots hold may be media: it is counted in cells, kept in whole units, and found again by its content.

The memory is the scripted model's, written to without the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.config import EngineConfig
from service.engine.cache.slot_memory import SlotMemory
from service.engine.cache.slots import Slot
from service.testing.scripted_media import numbers
from service.testing.scripted_model import ScriptedModel
from tests.support.pictures import picture, step_of

if TYPE_CHECKING:
    from service.engine.request.items import PromptItem

TEXT: list[PromptItem] = list(range(40))


class Ledger:
    """Two slots on a memory, without an engine."""

    def __init__(self) -> None:
        self.model = ScriptedModel(n_cells=512, n_seq_max=3)
        self.slots = [Slot(0), Slot(1)]
        config = EngineConfig(n_slots=2, n_ctx_slot=256)
        self.memory = SlotMemory(self.model.info, self.model.memory, self.slots, config)
        self.memory.pinned = Slot(2)

    def evaluate(self, slot: Slot, *runs: list[PromptItem]) -> None:
        """Append runs of tokens or of media, the cells of each at positions as the ledger says."""
        for run in runs:
            cells = [(number, step_of(item)) for number, item in zip(numbers(run), run, strict=True)]
            position = slot.next_position
            self.memory.append(slot, run)
            self.model.memory.append_media(slot.id, position, cells)
            assert position == slot.positions.at(len(slot.items) - len(run))

    def check(self, slot: Slot, items: list[PromptItem]) -> None:
        """The slot and the model's memory agree on these items."""
        assert slot.items == items
        assert self.model.memory.tokens(slot.id) == numbers(items)
        cells = self.model.memory.cells(slot.id)
        assert [cell.position for cell in cells] == [slot.positions.at(index) for index in range(len(items))]


@pytest.fixture
def ledger() -> Ledger:
    """Both slots are empty."""
    return Ledger()


@pytest.mark.parametrize("n_positions", [None, 4, 12])
def test_positions_go_on_behind_a_picture(ledger: Ledger, n_positions: int | None) -> None:
    cat = picture("c", 9, n_positions=n_positions)
    slot = ledger.slots[0]
    ledger.evaluate(slot, TEXT, cat, [1, 2])
    ledger.check(slot, [*TEXT, *cat, 1, 2])
    assert slot.next_position == 40 + (n_positions or 9) + 2
    assert ledger.memory.cells_used == 51


@pytest.mark.parametrize("n_positions", [None, 4])
def test_a_cut_leaves_no_part_of_a_picture(ledger: Ledger, n_positions: int | None) -> None:
    cat = picture("c", 9, n_positions=n_positions)
    slot = ledger.slots[0]
    ledger.evaluate(slot, TEXT, cat, [1, 2])
    assert ledger.memory.cut(slot, 50) == 50
    ledger.check(slot, [*TEXT, *cat, 1])
    assert ledger.memory.cut(slot, 45) == 40
    ledger.check(slot, TEXT)
    ledger.evaluate(slot, cat)
    ledger.check(slot, [*TEXT, *cat])


def test_a_picture_is_shared_with_what_begins_alike(ledger: Ledger) -> None:
    cat, dog = picture("c", 9, n_positions=4), picture("d", 5, n_positions=7)
    source, target = ledger.slots
    ledger.evaluate(source, TEXT, cat, [1], dog)
    prompt: list[PromptItem] = [*TEXT, *cat, 1, *picture("e", 5), 2]
    assert ledger.memory.longest("", prompt) == (source, 50)
    assert ledger.memory.share(source, target, 50) == 50
    ledger.check(target, [*TEXT, *cat, 1])
    ledger.evaluate(target, picture("e", 5), [2])
    ledger.check(target, prompt)
    ledger.check(source, [*TEXT, *cat, 1, *dog])
    assert ledger.memory.cells_used == 55 + 6


def test_a_prompt_that_ends_in_a_picture_evaluates_all_of_it(ledger: Ledger) -> None:
    cat = picture("c", 9)
    slot = ledger.slots[0]
    ledger.evaluate(slot, TEXT, cat)
    assert ledger.memory.longest("", [*TEXT, *cat]) == (slot, 40)
    assert slot.common_prefix([*TEXT, *cat]) == 40
    assert slot.common_prefix([*TEXT, *cat, 1]) == 49


def test_a_saved_picture_comes_back(ledger: Ledger) -> None:
    cat = picture("c", 9, n_positions=4)
    slot, other = ledger.slots
    ledger.evaluate(slot, TEXT, cat, [1, 2])
    ledger.memory.save(slot)
    ledger.memory.drop(slot)
    assert ledger.memory.cells_used == 0
    saved, length = ledger.memory.longest_saved("", [*TEXT, *cat, 1, 3], 0)
    assert saved is not None
    assert length == 50
    assert ledger.memory.restore(other, saved, length) == 50
    ledger.check(other, [*TEXT, *cat, 1])


def test_a_sequence_with_a_picture_goes_out_and_comes_back(ledger: Ledger) -> None:
    cat = picture("c", 9, n_positions=4)
    slot, other = ledger.slots
    ledger.evaluate(slot, TEXT, cat, [1, 2])
    contents = ledger.memory.swap_out(slot)
    ledger.check(slot, [])
    ledger.memory.swap_in(other, contents)
    ledger.evaluate(other, [3])
    ledger.check(other, [*TEXT, *cat, 1, 2, 3])


@pytest.mark.parametrize("n_before", [0, 4, 16])
def test_a_shift_discards_whole_pictures(ledger: Ledger, n_before: int) -> None:
    cat = picture("c", 9)
    slot = ledger.slots[0]
    items: list[PromptItem] = [*TEXT[:n_before], *cat, *TEXT[: 31 - n_before]]
    ledger.evaluate(slot, *filter(None, (items[:n_before], cat, items[n_before + 9 :])))
    discarded = ledger.memory.shift(slot, 40, 2)
    assert discarded > 0
    kept = [item for item in slot.items if not isinstance(item, int)]
    assert kept in ([], cat)
    ledger.check(slot, slot.items.copy())
    assert slot.next_position == 40 - discarded
