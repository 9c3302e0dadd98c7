from __future__ import annotations

from codecs import getincrementaldecoder
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.apis.openai.completions.logprobs import TextLogprobs
from slotline.v1.tokens_pb2 import Token, TokenLogprob
from tests.support.properties import untimed


def tokens(*pieces: bytes) -> list[Token]:
    return [Token(piece=one, logprob=-1.0) for one in pieces]


def offsets_of(*pieces: bytes, text: str) -> list[int]:
    logprobs = TextLogprobs()
    logprobs.add(tokens(*pieces), text)
    taken = logprobs.take().json()
    return [] if taken is None else list(taken["text_offset"])


@pytest.mark.parametrize(
    ("pieces", "text", "offsets"),
    [
        ((), "", []),
        ((b"a", b"bc", b"d"), "abcd", [0, 1, 3]),
        (("é".encode(), b"x"), "éx", [0, 1]),
        # Two halves of a character begin at the same place.
        ((b"\xc3", b"\xa9", b"x"), "éx", [0, 0, 1]),
        ((b"a", b"\xf0\x9f", b"\x98", b"\x80"), "a😀", [0, 1, 1, 1]),
        ((b"a", b"", b"b"), "ab", [0, 1]),
        # What a stop text cut off; a token that was cut in its middle counts.
        ((b"a", b"END"), "a", [0]),
        ((b"ab", b"cE", b"ND"), "abc", [0, 2]),
        # The end came in the middle of a character.
        ((b"a", b"\xc3"), "a�", [0, 1]),
    ],
)
def test_offsets(pieces: tuple[bytes, ...], text: str, offsets: list[int]) -> None:
    assert offsets_of(*pieces, text=text) == offsets


def test_a_token_waits_until_its_text_has_come() -> None:
    logprobs = TextLogprobs()
    logprobs.add(tokens(b"a", b"E"), "a")
    first = logprobs.take().json()
    assert first is not None
    assert first["tokens"] == ["a"]
    assert logprobs.take().json() is None
    logprobs.add(tokens(b"x"), "Ex")
    second = logprobs.take().json()
    assert second is not None
    assert (second["tokens"], second["text_offset"]) == (["E", "x"], [1, 2])


def with_top(chosen: tuple[bytes, float], *top: tuple[bytes, float]) -> dict[str, float]:
    logprobs = TextLogprobs()
    record = Token(piece=chosen[0], logprob=chosen[1])
    record.top_logprobs.extend(TokenLogprob(piece=one, logprob=value) for one, value in top)
    logprobs.add([record], chosen[0].decode(errors="replace"))
    taken = logprobs.take().json()
    assert taken is not None
    (entry,) = taken["top_logprobs"]
    assert isinstance(entry, dict)
    return entry


def test_the_chosen_token_is_among_the_most_probable_ones() -> None:
    assert with_top((b"a", -0.5), (b"a", -0.5), (b"b", -1.5)) == {"a": -0.5, "b": -1.5}
    assert with_top((b"c", -3.0), (b"a", -0.5), (b"b", -1.5)) == {"a": -0.5, "b": -1.5, "c": -3.0}
    assert with_top((b"c", -3.0)) == {"c": -3.0}


def test_parts_of_characters_are_named_by_their_bytes() -> None:
    assert with_top((b"\xf0\x9f", -0.5), (b"\xf0\x9f", -0.5), (b"\xe2", -1.5)) == {
        "bytes:\\xf0\\x9f": -0.5,
        "bytes:\\xe2": -1.5,
    }


def test_of_control_tokens_the_most_probable_one_is_shown() -> None:
    assert with_top((b"a", -0.5), (b"a", -0.5), (b"", -1.5), (b"", -2.5)) == {"a": -0.5, "": -1.5}


@untimed
@given(st.text(max_size=12), st.lists(st.integers(0, 40), max_size=6))
def test_streamed_tokens_are_those_of_the_whole_answer(text: str, cuts: list[int]) -> None:
    raw = text.encode()
    borders = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    pieces = [raw[start:end] for start, end in pairwise(borders)]
    decoder = getincrementaldecoder("utf-8")("replace")
    streamed = TextLogprobs()
    offsets: list[int] = []
    for one in tokens(*pieces):
        streamed.add([one], decoder.decode(one.piece))
        offsets.extend((streamed.take().json() or {"text_offset": []})["text_offset"])
    assert offsets == offsets_of(*pieces, text=text)
    assert len(offsets) == len(pieces)
