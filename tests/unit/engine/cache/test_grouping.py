"""Positions under self-extend, against the steps written out token by token."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.cache.grouping import GroupedPositions


def positions_of(n_tokens: int, offset: int, n: int, width: int) -> list[int]:
    """Positions of all tokens after so many were appended one by one, with full windows regrouped before the next."""
    grouped = GroupedPositions(offset, n, width, offset)
    positions = list(range(offset))
    for _ in range(n_tokens):
        if grouped.room == 0:
            change = grouped.regroup()
            positions = [
                (place + change.delta) // change.divisor if change.start <= place < change.end else place
                for place in positions
            ]
        positions.append(grouped.next)
        grouped.append(1)
    return positions


def test_a_short_text_has_its_own_positions() -> None:
    assert positions_of(8, offset=0, n=4, width=8) == list(range(8))


def test_a_full_window_is_grouped_before_the_next_token() -> None:
    assert positions_of(9, offset=0, n=4, width=8) == [0, 0, 0, 0, 1, 1, 1, 1, 2]


def test_windows_follow_one_another_without_gap() -> None:
    assert positions_of(17, offset=0, n=4, width=8)[8:] == [2, 2, 2, 2, 3, 3, 3, 3, 4]


def test_the_documented_example() -> None:
    positions = positions_of(1025, offset=0, n=4, width=512)
    assert positions[:1024] == [place // 4 for place in range(1024)]
    assert positions[1024] == 256


def test_a_system_prompt_keeps_its_positions() -> None:
    assert positions_of(9, offset=3, n=2, width=4) == [0, 1, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7]


@given(st.integers(0, 200), st.integers(0, 20), st.integers(2, 5), st.integers(1, 6))
def test_positions_never_decrease_and_never_skip(n_tokens: int, offset: int, n: int, groups: int) -> None:
    positions = positions_of(n_tokens, offset, n, n * groups)
    steps = [later - earlier for earlier, later in itertools.pairwise(positions)]
    assert set(steps) <= {0, 1}
    assert positions[:offset] == list(range(offset))


@pytest.mark.parametrize("taken", [0, 3, 8])
def test_room_counts_down(taken: int) -> None:
    grouped = GroupedPositions(0, 4, 8, 0)
    grouped.append(taken)
    assert (grouped.room, grouped.next) == (8 - taken, taken)


def test_a_system_prompt_that_is_not_there_yet_comes_first() -> None:
    grouped = GroupedPositions(5, 2, 4, 0)
    assert (grouped.next, grouped.room) == (0, 5)
    grouped.append(3)
    assert (grouped.next, grouped.room) == (3, 2)
    grouped.append(2)
    assert (grouped.next, grouped.room) == (5, 4)
