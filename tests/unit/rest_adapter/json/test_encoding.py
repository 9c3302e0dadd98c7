from __future__ import annotations

import json
import math
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.errors import InvalidBody
from rest_adapter.json.decoding import decode
from rest_adapter.json.encoding import PIECE_BYTES, Encoded, encode, encode_in_order, encode_in_pieces, show
from tests.support.properties import untimed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)

#: Texts and their values.
READ = [
    (b'{"a":1}', {"a": 1}),
    (b' [1, 2.0, "x"] \n', [1, 2.0, "x"]),
    (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
    (b'{"a":1,"a":2}', {"a": 2}),
    ('{"a":"日本"}'.encode(), {"a": "日本"}),
    (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
    (b'{"a":"\\u00e9"}', {"a": "é"}),
    (b"1e400", math.inf),
    (b'["\\ud83d\\ude00",1e400]', ["😀", math.inf]),
    (b"null", None),
]
#: Texts that are refused, and a part of the message.
NOT_JSON = [
    (b"", "not JSON: Expecting value at line 1, column 1"),
    (b'{"a":1', "not JSON: Expecting ',' delimiter at line 1, column 7"),
    (b'{"a":1}}', "not JSON: Extra data at line 1, column 8"),
    (b"{'a':1}", "not JSON: Expecting property name"),
    (b'{"a":NaN}', "not JSON: NaN is not a JSON number"),
    (b'{"a":Infinity}', "not JSON: Infinity is not a JSON number"),
    (b'{"a":-Infinity}', "not JSON: -Infinity is not a JSON number"),
    (b'{"a":"\xff"}', "not UTF-8: invalid start byte at byte 6"),
    ('{"a":1}'.encode("utf-16"), "not UTF-8"),
    (b'{"a":"\\ud800"}', "not JSON: \\ud800 is half of a surrogate pair"),
    (b'{"\\uDC00":1}', "not JSON: \\udc00 is half of a surrogate pair"),
    (b"[" * 100_000, "nested too deeply"),
    (b'{"a":' * 100_000, "nested too deeply"),
    (b"1" * 10_000, "too many digits; allowed are at most"),
    (b'"\n"', "not JSON: Invalid control character at line 1, column 2"),
    (b"prompt=hi&n_predict=4", "not JSON: Expecting value"),
]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        ({"a": {"z": 0, "Z": 0, "é": 0, "_": 0}}, '{"a":{"Z":0,"_":0,"z":0,"é":0}}'),
        ([1, 2.5, True, None], "[1,2.5,true,null]"),
        ("日本語 é 😀", '"日本語 é 😀"'),
        ("\b\t\n\f\r", '"\\b\\t\\n\\f\\r"'),
        ("\x00\x1f\x7f/", '"\\u0000\\u001f\x7f/"'),
        ('"\\', '"\\"\\\\"'),
        (5.0, "5.0"),
        (0.800000011920929, "0.800000011920929"),
        (math.inf, "null"),
        ({"a": [math.nan, -math.inf, {"b": math.nan}], "c": 1.5}, '{"a":[null,null,{"b":null}],"c":1.5}'),
    ],
)
def test_encode(value: object, text: str) -> None:
    assert encode(value).decode() == text


@pytest.mark.parametrize(("body", "value"), READ)
def test_decode(body: bytes, value: object) -> None:
    assert decode(body) == value


@pytest.mark.parametrize(("body", "message"), NOT_JSON)
def test_decode_refuses_what_is_not_json(body: bytes, message: str) -> None:
    with pytest.raises(InvalidBody) as caught:
        decode(body)
    assert message in caught.value.message


@untimed
@given(JSON)
def test_decode_reverses_encode(value: object) -> None:
    assert decode(encode(value)) == value


@untimed
@given(JSON)
def test_encoding_is_compact_sorted_and_unescaped(value: object) -> None:
    expected = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert encode(value).decode() == expected


@untimed
@given(JSON)
def test_in_order_the_keys_stay_as_they_came(value: object) -> None:
    assert encode_in_order(value) == json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def test_in_order_there_are_no_infinities_either() -> None:
    assert encode_in_order({"b": [math.inf], "a": 1}) == '{"b":[null],"a":1}'


@untimed
@given(st.binary(max_size=64))
def test_decode_raises_nothing_but_invalid_body(body: bytes) -> None:
    try:
        decode(body)
    except InvalidBody as error:
        assert error.message.startswith("the body is")


@pytest.mark.parametrize(
    ("value", "shown"),
    [("hot", '"hot"'), (None, "null"), ({"b": 1, "a": [2]}, '{"a":[2],"b":1}'), ("x" * 1000, '"' + "x" * 59 + "...")],
)
def test_show_shortens_values(value: object, shown: str) -> None:
    assert show(value) == shown


def test_show_tells_a_number_that_is_too_large_from_null() -> None:
    assert show(decode(b"[1e999,-1e999]")) == "[Infinity,-Infinity]"


@untimed
@given(JSON)
def test_a_value_is_written_in_pieces_as_it_is_at_once(value: object) -> None:
    assert b"".join(encode_in_pieces(value)) == encode(value)


def test_a_large_value_is_written_in_short_pieces() -> None:
    ids, words = list(range(100_000)), ["word \u00e9"] * 20_000
    value = {"b": [ids, {"text": "x\n" * 500_000, "words": words}], "a": math.inf, "c": [[], {}, "", [1, "2", [3]]]}
    pieces = list(encode_in_pieces(value))
    assert b"".join(pieces) == encode(value)
    assert max(map(len, pieces)) < 4 * PIECE_BYTES
    assert min(map(len, pieces[:-1])) >= PIECE_BYTES


def test_what_is_text_already_is_written_as_it_is() -> None:
    ready = Encoded(b'{"z":1,"a":2}')
    value = {"list": [ready, 1, [ready]], "one": ready}
    expected = b'{"list":[{"z":1,"a":2},1,[{"z":1,"a":2}]],"one":{"z":1,"a":2}}'
    assert encode(value) == expected
    assert b"".join(encode_in_pieces(value)) == expected


def test_of_a_large_value_only_the_beginning_is_looked_at_to_show_it() -> None:
    class Unread(dict[str, object]):
        def items(self) -> NoReturn:
            raise AssertionError

    assert show([1] * 100 + [Unread()]) == "[1" + ",1" * 29 + "..."
