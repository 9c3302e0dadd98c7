"""Text output: characters, stop texts, hold-back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.output.text import TextOutput, ends_in_incomplete_character


def push_all(output: TextOutput, pieces: list[bytes]) -> tuple[list[str | None], bytes | None]:
    """Feed pieces until a stop text is found; return the texts and the stop text."""
    texts: list[str | None] = []
    for piece in pieces:
        step = output.push(piece)
        texts.append(step.text)
        if step.stop_text is not None:
            return texts, step.stop_text
    return texts, None


@pytest.mark.parametrize(
    ("pieces", "stops", "texts", "stop"),
    [
        ([b"ab", b"c"], [], ["ab", "c"], None),
        ([b"\xe2", b"\x82", b"\xac"], [], [None, None, "€"], None),
        ([b"x\xe2", b"\x82\xacy"], [], [None, "x€y"], None),
        ([b"\xff", b"a"], [], ["�", "a"], None),
        ([b"one ST", b"OP two"], [b"STOP"], ["", "one "], b"STOP"),
        ([b"one ST", b"AY"], [b"STOP"], ["", "one STAY"], None),
        ([b"aXbY"], [b"Y", b"X"], ["a"], b"X"),
        ([b"abc"], [b"abcd", b"ab"], [""], b"ab"),
        ([b"\xe2\x82", b"\xac"], ["€".encode()], [None, ""], "€".encode()),
        ([b"aa", b"ab"], [b"aab"], ["", "a"], b"aab"),
        ([b"\n", b"\n", b"x"], [b"\n\n\n"], ["", "", "\n\nx"], None),
    ],
)
def test_text_comes_out_as_soon_as_it_is_certain(
    pieces: list[bytes], stops: list[bytes], texts: list[str | None], stop: bytes | None
) -> None:
    assert push_all(TextOutput(stops), pieces) == (texts, stop)


def test_a_matched_stop_text_stays_if_asked_for() -> None:
    assert push_all(TextOutput([b"END"], include_match=True), [b"x EN", b"D y"]) == (["", "x END"], b"END")


def test_flush_gives_held_back_text_and_replaces_an_incomplete_character() -> None:
    output = TextOutput([b"stop"])
    assert output.push(b"a st").text == ""
    assert output.push(b"\xe2").text is None
    assert output.flush() == "a st�"
    assert output.flush() == ""


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", False),
        (b"a", False),
        (b"\xc3", True),
        (b"\xc3\xa9", False),
        (b"\xe2\x82", True),
        (b"\xe2\x82\xac", False),
        (b"\xf0\x9f\x98", True),
        (b"\xf0\x9f\x98\x80", False),
        (b"\x80\x80\x80\x80\x80", False),
        (b"\xff", False),
        (b"a\x80", False),
    ],
)
def test_incomplete_characters_are_recognised(data: bytes, expected: bool) -> None:
    assert ends_in_incomplete_character(data) is expected


@given(st.text(), st.lists(st.integers(1, 5), max_size=30))
def test_any_split_of_a_text_gives_the_text(text: str, sizes: list[int]) -> None:
    data, pieces, output = text.encode(), [], TextOutput()
    for size in [*sizes, len(data)]:
        pieces.append(data[:size])
        data = data[size:]
    texts, _ = push_all(output, pieces)
    assert "".join(part or "" for part in texts) + output.flush() == text


@given(
    st.text(alphabet="ab", max_size=40), st.lists(st.text(alphabet="ab", min_size=1, max_size=4), max_size=3), st.data()
)
def test_stop_texts_cut_at_the_leftmost_match_however_the_text_is_split(
    text: str, stops: list[str], data: st.DataObject
) -> None:
    pieces = []
    rest = text.encode()
    while rest:
        size = data.draw(st.integers(1, 4))
        pieces.append(rest[:size])
        rest = rest[size:]
    output = TextOutput([stop.encode() for stop in stops])
    texts, stop = push_all(output, pieces)
    got = "".join(part or "" for part in texts) + ("" if stop else output.flush())
    ends = [text.find(stop) for stop in stops if stop in text]
    if not ends:
        assert (got, stop) == (text, None)
    else:
        assert stop is not None
        # A match that was complete earlier wins over one that starts further left but ends later.
        assert text.startswith(got + stop.decode())
        assert not any(candidate in got for candidate in stops)
