"""How messages show what is wrong."""

from __future__ import annotations

import json

import pytest

from service.api.convert.checks import shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("a'b", '"a\'b"'),
        ({"type": "x"}, '{"type": "x"}'),
        ([], "[]"),
        ("x" * 61, repr("x" * 60 + "...")),
        (["x" * 80], '["' + "x" * 58 + "..."),
        (json.loads("[" * 900 + "]" * 900), "[" * 60 + "..."),
    ],
)
def test_a_value_is_shown_as_json_and_shortened(value: object, text: str) -> None:
    assert shown(value) == text
