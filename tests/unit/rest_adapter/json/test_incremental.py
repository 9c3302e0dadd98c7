"""Large bodies are read like small ones, in steps, and refused where they begin to hold too much."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given

from rest_adapter.errors import InvalidBody, InvalidRequest
from rest_adapter.json.decoding import decode
from rest_adapter.json.incremental import Bounds, decode_in_pieces
from tests.support.properties import untimed
from tests.unit.rest_adapter.json.test_encoding import JSON, NOT_JSON, READ

FEW = Bounds(max_entries=20, max_numbers=50, max_others=30)
#: What no JSON text may hold: a refusal that does not mention it came before it was read.
UNREAD = b"&"


@untimed
@given(JSON)
def test_any_value_is_read_as_it_is_in_one_piece(value: object) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=2)):
        body = text.encode()
        assert repr(decode_in_pieces(body, Bounds())) == repr(decode(body))


@pytest.mark.parametrize(("body", "value"), READ)
def test_texts_are_read(body: bytes, value: object) -> None:
    assert decode_in_pieces(body, Bounds()) == value


@pytest.mark.parametrize(("body", "message"), NOT_JSON)
def test_what_is_not_json_is_refused_in_the_same_words(body: bytes, message: str) -> None:
    with pytest.raises(InvalidBody, match=re.escape(message)) as refused:
        decode_in_pieces(body, Bounds())
    with pytest.raises(InvalidBody) as expected:
        decode(body)
    assert refused.value.message == expected.value.message


@pytest.mark.parametrize(
    "text",
    [
        "[]]", "[1 2]", "[1,,2]", "{1:2}", '{"a" 1}', '{"a":1 "b":2}', '{"a":1,2}', "[", "{", '{"a"', '{"a":', "[1",
        "-", "[1,", "nul", "tru", "01", "1.", "1e", ".5", "+1", '"', '"\\x"', '"\\u12"', "[-Infinity]", " ",
        '["abc', '["abc\\', '["abc\\u00', '["abc\\u00"', '["abc\\u00zz"', '["abc\\x',
        '["a\nb"', '["a\\n\x01"', '{"a\tb":1}',
        "[1,2,3,4,5,6,7,8,9,01]", "[1,2,3,4,5,6,7,8,-,10]", "[1,2,3,4,5,6,7,8,9,10", "\n\n [1,\n 2,\n x]",
    ],
)  # fmt: skip
def test_mistakes_are_told_as_they_are_in_one_piece(text: str) -> None:
    with pytest.raises(InvalidBody) as refused:
        decode_in_pieces(text.encode(), Bounds())
    with pytest.raises(InvalidBody) as expected:
        decode(text.encode())
    assert refused.value.message == expected.value.message


@pytest.mark.parametrize("length", [1, 63, 64, 65, 1023, 65_535, 65_536, 65_537, 200_000, (1 << 20) - 4, (1 << 20) + 1])
@pytest.mark.parametrize("unit", ["a", "\\/", "\\u0041", "\\ud83d\\ude00", "\U0001f600", "é", "a\\n", "\\\\ud83d"])
def test_long_strings_are_read_in_pieces(unit: str, length: int) -> None:
    text = unit * (length // len(unit) + 1)
    for before in ("", "x" * 63, "\\u00e9"):
        body = f'{{"a":["{before}{text}"],"{before}{text}":1}}'.encode()
        assert decode_in_pieces(body, Bounds()) == json.loads(body)


@pytest.mark.parametrize("unit", ["a", "\\/", "\\n"])
def test_half_a_pair_is_found_in_a_long_string(unit: str) -> None:
    for body in (f'["{unit * 70_000}\\ud83d"]', f'["{unit * 70_000}\\ude00{unit}"]', f'["\\ud83d{unit * 70_000}"]'):
        with pytest.raises(InvalidBody, match="is half of a surrogate pair"):
            decode_in_pieces(body.encode(), Bounds())


@pytest.mark.parametrize("place", [0, 5, 1 << 20, (1 << 20) - 1, (1 << 21) - 2])
@pytest.mark.parametrize("wrong", [b"\xff", b"\xc3(", b"\xe2\x82"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_what_is_not_utf_8_is_told_with_its_place(place: int, wrong: bytes, mark: bytes) -> None:
    body = mark + b'"' + b"a" * place + wrong
    with pytest.raises(InvalidBody) as refused:
        decode_in_pieces(body, Bounds())
    with pytest.raises(InvalidBody) as expected:
        decode(body)
    assert refused.value.message == expected.value.message


def test_numbers_in_a_row_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [0, -1, 2.5, 1e3, 1.5e-7, 123456789012345678, *range(3000)]
    lengths: list[int] = []

    def loads(text: str) -> object:
        lengths.append(len(text))
        return read(text)

    read = json.loads
    monkeypatch.setattr(json, "loads", loads)
    assert decode_in_pieces(json.dumps({"a": [values, values]}, indent=1).encode(), Bounds()) == {"a": [values, values]}
    assert 6 <= len(lengths) <= 10
    # What is read in one call stays short.
    assert max(lengths) < 1024 * 60


@pytest.mark.parametrize(
    ("body", "name", "kind"),
    [
        (b"[" + b"1," * 21 + UNREAD, "body", InvalidRequest),
        (b"[" + b'"a",' * 20 + b'"b"' + UNREAD, "body", InvalidRequest),
        (b'{"a":{"b":[[],{},[' + b"[]," * 20 + b"[]" + UNREAD, "a.b[2]", InvalidRequest),
        (b'{"messages":[{"content":[' + b"1," * 25 + UNREAD, "messages[0].content", InvalidRequest),
        (b'{"logit_bias":{' + b",".join(b'"%d":1' % key for key in range(21)) + UNREAD, "logit_bias", InvalidRequest),
    ],
)
def test_too_many_entries_are_refused_by_name_before_the_rest_is_read(
    body: bytes, name: str, kind: type[Exception]
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode_in_pieces(body, FEW)
    assert refused.value.message == f"{name}: has more than 20 entries; allowed are no more"


def test_an_array_may_have_as_many_entries_as_are_allowed() -> None:
    for entries in ([1] * 20, [1.5] * 20, [""] * 20):
        assert decode_in_pieces(json.dumps(entries).encode(), FEW) == entries


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[" + b",".join([b"[" + b"1," * 18 + b"1]"] * 3) + b"," + UNREAD, "more than 50 numbers"),
        (
            b"[" + b",".join([b'["a","b",null,true,{}]'] * 6) + b"," + UNREAD,
            "more than 30 keys and values that",
        ),
        (b"[" + b",".join([b'{"a":1,"b":2,"c":3}'] * 8) + b"," + UNREAD, "more than 30 keys and values that"),
    ],
)
def test_too_many_values_in_all_are_refused_before_the_rest_is_read(body: bytes, message: str) -> None:
    with pytest.raises(InvalidBody, match=message):
        decode_in_pieces(body, FEW)


def test_the_name_of_what_is_too_long_is_shortened() -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode_in_pieces(b'{"%s":[' % (b"k" * 5000) + b"1," * 21, FEW)
    assert len(refused.value.message) < 200
