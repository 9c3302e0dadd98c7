"""The words of a command: a name, words without a key, and options ``key=value``."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+')
_OPTION = re.compile(r"([a-z_]+)=(.*)", re.DOTALL)
_PART = re.compile(
    r"""\s*(?:(?P<literal>"(?:[^"\\]|\\.)*")(?:\*(?P<times>\d+))?|(?P<name>[\w.]+)\.text"""
    r"""|<(?P<picture>\w+)>\*(?P<cells>\d+)(?:@(?P<positions>\d+))?)(?P<more>\+?)"""
)


class CommandError(ValueError):
    """A command that cannot be understood or carried out."""


class Picture(NamedTuple):
    """A picture in a prompt: pictures of equal content are the same. ``n_positions`` is None without a grid."""

    content: str
    n_cells: int
    n_positions: int | None


Part = str | Picture


class Arguments:
    """What a command says, each part of which must be asked for.

    A text is ``"like JSON"``, ``"x"*40`` for repetition, ``a.text`` for what request ``a`` has answered so far, or
    several of these joined by ``+``. A prompt may also have pictures: ``<cat>*9`` takes 9 cells, and ``<cat>*9@3`` only
    3 positions.

    Args:
        line: the command.
        texts: what requests have answered, by name.
    """

    def __init__(self, line: str, texts: Mapping[str, str]) -> None:
        self._texts = texts
        words = _WORD.findall(line)
        self.name = words[0]
        self._words: list[str] = []
        self._options: dict[str, str] = {}
        for word in words[1:]:
            if option := _OPTION.fullmatch(word):
                self._options[option[1]] = option[2]
            else:
                self._words.append(word)

    def finish(self) -> None:
        """Refuse what nobody has asked for."""
        if left := [*self._words, *self._options]:
            raise CommandError(f"{self.name} does not know {left[0]!r}")

    def word(self) -> str:
        """The next word without a key."""
        if not self._words:
            raise CommandError(f"{self.name} needs another word")
        return self._words.pop(0)

    def count(self) -> int | None:
        """The next word as a number; None if there is none."""
        return _number(self.word()) if self._words else None

    def all_texts(self) -> list[str]:
        """All words without a key, as texts."""
        return [_joined(parts) for parts in self.all_prompts()]

    def all_prompts(self) -> list[list[Part]]:
        """All words without a key, as prompts."""
        words, self._words = self._words, []
        return [self._parts(word) for word in words]

    def text(self, key: str) -> str | None:
        """An option as a text."""
        parts = self.prompt(key)
        return None if parts is None else _joined(parts)

    def prompt(self, key: str) -> list[Part] | None:
        """An option as a prompt."""
        value = self._options.pop(key, None)
        return None if value is None else self._parts(value)

    def symbol(self, key: str) -> str | None:
        """An option as it stands there."""
        return self._options.pop(key, None)

    def integer(self, key: str) -> int | None:
        """An option as a whole number."""
        value = self._options.pop(key, None)
        return None if value is None else _number(value)

    def integer_or_none(self, key: str, default: int) -> int | None:
        """An option as a whole number, or None if it is the word none."""
        value = self._options.pop(key, str(default))
        return None if value == "none" else _number(value)

    def decimal(self, key: str) -> float | None:
        """An option as any number."""
        value = self._options.pop(key, None)
        try:
            return None if value is None else float(value)
        except ValueError:
            raise CommandError(f"{value!r} is no number") from None

    def decimals(self, key: str) -> tuple[float, ...] | None:
        """An option as numbers with commas between them."""
        value = self._options.pop(key, None)
        try:
            return None if value is None else tuple(map(float, value.split(",")))
        except ValueError:
            raise CommandError(f"{value!r} are no numbers") from None

    def flag(self, key: str) -> bool | None:
        """An option that is yes or no."""
        value = self._options.pop(key, None)
        if value not in (None, "yes", "no"):
            raise CommandError(f"{key} is {value!r}; allowed are yes and no")
        return None if value is None else value == "yes"

    def _parts(self, value: str) -> list[Part]:
        parts: list[Part] = []
        start, more = 0, "+"
        while more:
            part = _PART.match(value, start)
            if part is None:
                raise CommandError(f'{value[start:]!r} is no text; texts are like "x"*3+a.text')
            parts.append(self._part(part))
            start, more = part.end(), part["more"]
        if start < len(value):
            raise CommandError(f"{value[start:]!r} behind a text")
        return parts

    def _part(self, part: re.Match[str]) -> Part:
        if part["picture"] is not None:
            return Picture(
                part["picture"], int(part["cells"]), _number(part["positions"]) if part["positions"] else None
            )
        if part["literal"] is not None:
            literal: str = json.loads(part["literal"])
            return literal * int(part["times"] or 1)
        if part["name"] not in self._texts:
            raise CommandError(f"no request is called {part['name']!r}")
        return self._texts[part["name"]]


def _joined(parts: list[Part]) -> str:
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        raise CommandError("only prompts, and what is embedded, can have pictures")
    return "".join(texts)


def _number(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise CommandError(f"{word!r} is no number") from None
