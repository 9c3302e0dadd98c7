"""Items: where prompts may be divided, and where items are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.request.items import Positions, tokens_of, whole_length
from tests.support.pictures import picture

if TYPE_CHECKING:
    from service.engine.request.items import PromptItem

TOKEN = st.integers(0, 9).map(lambda token: [token])
PICTURE = st.builds(picture, st.sampled_from("xy"), st.integers(1, 4), n_positions=st.none() | st.integers(1, 5))
ITEMS = st.lists(st.one_of(TOKEN, PICTURE), max_size=8).map(lambda units: [item for unit in units for item in unit])


def n_positions(item: PromptItem) -> int:
    """Positions that an item takes."""
    return 1 if isinstance(item, int) else item.n_positions


def expected(items: list[PromptItem]) -> list[int]:
    """The positions of items, and of the one behind them."""
    positions = [0]
    for item in items:
        positions.append(positions[-1] + n_positions(item))
    return positions


def positions_of(items: list[PromptItem]) -> Positions:
    """Positions that know all items."""
    positions = Positions()
    positions.append(0, items)
    return positions


def assert_at(positions: Positions, items: list[PromptItem]) -> None:
    """They are where they must be."""
    wanted = expected(items)
    assert [positions.at(index) for index in range(len(items) + 1)] == wanted
    assert len(items) + positions.extra == wanted[-1]


def test_text_may_be_divided_anywhere() -> None:
    assert [whole_length([1, 2, 3], length) for length in range(4)] == [0, 1, 2, 3]


def test_a_picture_that_is_evaluated_at_once_is_kept_whole_or_not_at_all() -> None:
    items: list[PromptItem] = [1, *picture("x", 3), 2]
    assert [whole_length(items, length) for length in range(6)] == [0, 1, 1, 1, 4, 5]


def test_a_picture_that_can_be_divided_is_like_text() -> None:
    items: list[PromptItem] = [1, *picture("x", 3, is_divisible=True), 2]
    assert [whole_length(items, length) for length in range(6)] == [0, 1, 2, 3, 4, 5]


def test_what_follows_other_pictures_is_apart_from_them() -> None:
    items = picture("x", 2) + picture("x", 2)
    assert [whole_length(items, length) for length in range(5)] == [0, 0, 2, 2, 4]


def test_pictures_are_no_tokens() -> None:
    assert tokens_of([1, *picture("x", 3), 2]) == [1, 2]


def test_cells_of_a_picture_may_share_a_position() -> None:
    assert expected([7, *picture("x", 6, n_positions=3), 8]) == [0, 1, 1, 1, 1, 1, 1, 4, 5]
    assert_at(positions_of([7, *picture("x", 6, n_positions=3), 8]), [7, *picture("x", 6, n_positions=3), 8])


def test_tokens_have_the_positions_of_their_numbers_whether_or_not_they_are_noted() -> None:
    assert_at(Positions(), [5] * 4)
    assert_at(positions_of([5] * 4), [5] * 4)


@given(first=ITEMS, second=ITEMS)
def test_positions_are_where_the_items_before_lead(first: list[PromptItem], second: list[PromptItem]) -> None:
    positions = positions_of(first)
    positions.append(len(first), second)
    assert_at(positions, first + second)


@given(items=ITEMS, data=st.data())
def test_what_is_behind_removed_items_moves_up(items: list[PromptItem], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(items)))
    end = data.draw(st.integers(start, len(items)))
    positions = positions_of(items)
    positions.remove(start, end)
    assert_at(positions, items[:start] + items[end:])


@given(items=ITEMS, data=st.data())
def test_a_copy_has_the_first_items_and_is_apart(items: list[PromptItem], data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(items)))
    positions = positions_of(items)
    copied = positions.copy(length)
    copied.append(length, picture("z", 3, n_positions=1))
    assert_at(copied, items[:length] + picture("z", 3, n_positions=1))
    assert_at(positions, items)


@pytest.mark.parametrize("item", [0, 1, 2**31])
def test_no_picture_equals_a_token(item: int) -> None:
    assert item not in picture("x", 3)
