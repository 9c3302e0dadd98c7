from __future__ import annotations

import io

import pytest

from slotline.cli.chat.screen import Screen, has_colors, printable


class FakeTerminal(io.StringIO):
    """Text that was written to a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "is_off", "expected"),
    [
        (FakeTerminal(), {"TERM": "xterm"}, False, True),
        (FakeTerminal(), {"NO_COLOR": ""}, False, True),
        (FakeTerminal(), {"NO_COLOR": "1"}, False, False),
        (FakeTerminal(), {"TERM": "dumb"}, False, False),
        (FakeTerminal(), {}, True, False),
        (io.StringIO(), {"TERM": "xterm"}, False, False),
    ],
)
def test_colors_are_for_terminals_whose_users_want_them(
    stream: io.StringIO, environment: dict[str, str], is_off: bool, expected: bool
) -> None:
    assert has_colors(stream, environment, is_off=is_off) is expected


def test_a_model_cannot_move_the_cursor() -> None:
    assert printable("a\tb\r\n\x1b[2Jc\x9b1m\x07ä\x7f") == "a\tb\n[2Jc1mä"


def test_notes_begin_in_a_line_of_their_own() -> None:
    stream = FakeTerminal()
    screen = Screen(stream, is_colored=False)
    for piece in ("a", "b\x1b"):
        screen.text(piece)
    screen.note("note")
    screen.text("c\n")
    screen.end_text()
    screen.error("no")
    assert stream.getvalue() == "ab\nnote\nc\nerror: no\n"


def test_words_of_the_program_are_colored_and_answers_are_not() -> None:
    stream = FakeTerminal()
    screen = Screen(stream, is_colored=True)
    screen.text("a\n")
    screen.note("b")
    screen.error("c")
    assert stream.getvalue() == "a\n\x1b[2mb\x1b[0m\n\x1b[31merror: c\x1b[0m\n"
    # readline must know which characters take no room.
    assert screen.prompt("> ") == "\x01\x1b[1;36m\x02> \x01\x1b[0m\x02"
    assert Screen(stream, is_colored=False).prompt("> ") == "> "


def test_thinking_is_dimmed_and_ends_with_its_time() -> None:
    stream = FakeTerminal()
    screen = Screen(stream, is_colored=True)
    for piece in ("hm", ", so"):
        screen.thought(piece)
    screen.end_thought(1234.5)
    screen.text("a")
    screen.end_text()
    dim, end = "\x1b[2m", "\x1b[0m"
    assert stream.getvalue() == (f"{dim}thinking{end}\n{dim}hm{end}{dim}, so{end}\n{dim}thought for 1.2 s{end}\na\n")


def test_calls_stand_in_lines_of_their_own() -> None:
    stream = FakeTerminal()
    screen = Screen(stream, is_colored=False)
    screen.text("Well")
    screen.call("f\x1b")
    for piece in ('{"a": ', "1}"):
        screen.arguments(piece)
    screen.call("g")
    screen.arguments("{}")
    screen.text("So")
    screen.end_text()
    assert stream.getvalue() == 'Well\ncalls f {"a": 1}\ncalls g {}\nSo\n'
    Screen(stream, is_colored=True).call("f")
    assert stream.getvalue().endswith("\x1b[36mcalls f \x1b[0m")
