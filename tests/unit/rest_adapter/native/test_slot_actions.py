"""POST /slots/{id}: the number of the slot in the path."""

from __future__ import annotations

import pytest

from rest_adapter.apis.native.slot_actions.request import read_slot_id
from rest_adapter.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("12", 12), ("007", 7), ("0" * 5000 + "3", 3), ("4294967295", 2**32 - 1)]
)
def test_a_number_is_read(text: str, number: int) -> None:
    assert read_slot_id(text) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "a", "1.0", "\u0661", "4294967296", "0" * 11 + "9" * 12, "9" * 5000, "0" * 11 + "9" * 5000]
)
def test_what_is_no_number_of_a_slot_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not the number of a slot, from 0"):
        read_slot_id(text)
