from __future__ import annotations

import io
import itertools
from typing import TYPE_CHECKING

import pytest

from slotline.cli.chat.lines import Lines
from slotline.cli.chat.screen import Screen

if TYPE_CHECKING:
    from pathlib import Path

Typed = str | type[BaseException]


class Keyboard:
    """Gives these lines one by one, or raises as ``input`` does at Ctrl-C and Ctrl-D."""

    def __init__(self, *typed: Typed) -> None:
        self.prompts: list[str] = []
        self._typed = list(typed)

    def read(self, prompt: str) -> str:
        self.prompts.append(prompt)
        line = self._typed.pop(0)
        if isinstance(line, str):
            return line
        raise line


def _lines(keyboard: Keyboard) -> Lines:
    return Lines(Screen(io.StringIO(), is_colored=False), ("/set", "/set top_k", "/save"), keyboard.read)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (["hello"], "hello"),
        ([""], ""),
        (["one\\", "two\\", "three"], "one\ntwo\nthree"),
        (["one\\", ""], "one\n"),
        (['"""', "one", "", "two\\", '"""'], "one\n\ntwo\\"),
        (['"""one', 'two"""'], "one\ntwo"),
        (['"""one"""'], "one"),
        (['"""', "one", EOFError], "one"),
        (["one\\", EOFError], "one\n"),
        (["one\\", KeyboardInterrupt], ""),
        (['"""', "one", KeyboardInterrupt], ""),
        (["a pasted text\nof two lines"], "a pasted text\nof two lines"),
    ],
)
def test_messages_of_one_or_several_lines(typed: list[Typed], text: str) -> None:
    keyboard = Keyboard(*typed)
    assert _lines(keyboard).read() == text
    assert keyboard.prompts == ["> ", *[". "] * (len(typed) - 1)]


@pytest.mark.parametrize("key", [EOFError, KeyboardInterrupt])
def test_the_keys_that_leave_are_passed_on(key: type[BaseException]) -> None:
    with pytest.raises(key):
        _lines(Keyboard(key)).read()


def test_without_editing_a_text_to_begin_with_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slotline.cli.chat.lines.readline", None)
    stream = io.StringIO()
    keyboard = Keyboard("typed")
    assert Lines(Screen(stream, is_colored=False), (), keyboard.read).read("old") == "typed"
    assert stream.getvalue() == "old\n"


def test_commands_are_completed() -> None:
    readline = pytest.importorskip("readline")
    _lines(Keyboard())
    complete = readline.get_completer()
    assert [complete("/s", number) for number in range(4)] == ["/set", "/set top_k", "/save", None]
    assert complete("", 0) is None


def test_names_of_files_are_completed_behind_the_commands_that_take_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readline = pytest.importorskip("readline")
    for name in ("cat one.png", "cow.png", ".cache"):
        (tmp_path / name).touch()
    (tmp_path / "cats").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    screen = Screen(io.StringIO(), is_colored=False)
    Lines(screen, ("/image",), Keyboard().read, file_commands=("/image",))
    complete = readline.get_completer()

    def found(text: str) -> list[str]:
        return list(itertools.takewhile(bool, (complete(text, number) for number in itertools.count())))

    assert found("/im") == ["/image"]
    assert found("/image c") == ["/image cat one.png", "/image cats/", "/image cow.png"]
    assert found("/image ") == ["/image cat one.png", "/image cats/", "/image cow.png"]
    assert found("/image .") == ["/image .cache"]
    assert found("/image ~/co") == ["/image ~/cow.png"]
    assert found(f"/image {tmp_path}/ca") == [f"/image {tmp_path}/cat one.png", f"/image {tmp_path}/cats/"]
    assert found("/image no/where") == []
    assert found("/set c") == []
