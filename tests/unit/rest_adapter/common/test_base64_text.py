"""Base64 in bodies."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.apis.common.base64_text import read_base64
from rest_adapter.errors import InvalidRequest
from tests.support.properties import untimed

NAME = "image_data[0].data"
#: As many characters as are decoded at once, and some more.
LONG = bytes(range(256)) * 700


@untimed
@given(st.binary(min_size=1, max_size=200), st.integers(1, 80), st.booleans(), st.sampled_from(["", "data:,", "é"]))
def test_bytes_are_found_again_however_they_are_written(data: bytes, line: int, is_padded: bool, before: str) -> None:
    text = base64.b64encode(data).decode()
    text = "\r\n".join(text[at : at + line] for at in range(0, len(text), line))
    assert read_base64(NAME, before + (text if is_padded else text.rstrip("=")), len(before)) == data


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
@pytest.mark.parametrize("separator", ["", "\n"])
def test_long_texts_are_read_in_pieces(cut: int, separator: str) -> None:
    data = LONG[: len(LONG) - cut]
    text = base64.b64encode(data).decode()
    assert read_base64(NAME, separator.join((text[:5], text[5:90_001], text[90_001:])) + separator) == data


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", '"" is not base64: it is empty'),
        (" \n", "it is empty"),
        ("=", "it has more padding than characters need"),
        ("QUJD====", "it has more padding"),
        ("QUJ!", 'it holds "!"'),
        ("QUJ-", 'it holds "-"'),
        ("QU=J", 'it holds "="'),
        ("QUJé", 'it holds "é"'),
        ("data:image/png;base64,QUJD", 'it holds ":"'),
        ("QUJDQ", "a character is missing at its end"),
        ("A" * 100_001, "a character is missing at its end"),
        ("A" * 70_000 + "\x00", 'it holds "\\u0000"'),
    ],
)
def test_other_texts_are_refused_with_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_base64(NAME, text)
    assert raised.value.name == NAME
    assert problem in raised.value.message
    assert len(raised.value.message) < 200
