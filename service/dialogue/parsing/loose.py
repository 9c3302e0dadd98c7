"""Calls whose values are almost JSON: those of Python, and those with marks of their own around strings.

They become JSON while they come.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.dialogue.parsing.calls import Begun, CallReading
from service.dialogue.parsing.collector import in_string
from service.dialogue.parsing.scanner import Marks, Reading, Scanner, Unreadable
from service.dialogue.parsing.schemas import as_json

if TYPE_CHECKING:
    from collections.abc import Callable


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "a": "\a", "v": "\v", "0": "\0", "\n": ""}
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_CODES = {"x": 2, "u": 4, "U": 8}
_SCALARS = frozenset({"number", "integer", "boolean", "null", "string"})
_MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Dialect:
    """How values are written.

    Attributes:
        quotes: what may stand before and behind a string.
        is_escaped: whether a backslash in a string is the beginning of an escape, as in Python.
        assign: between the name of an argument and its value.
        close: behind the last argument.
    """

    quotes: tuple[tuple[str, str], ...]
    is_escaped: bool
    assign: str
    close: str


_PYTHON = Dialect((("'", "'"), ('"', '"')), is_escaped=True, assign="=", close=")")


class LooseCalls:
    """The name, a bracket, arguments as names and values, and the closing bracket."""

    def __init__(self, reading: CallReading, dialect: Dialect, name_close: str) -> None:
        self._scanner = reading.scanner
        self._calls = Begun(reading.scanner, reading.collector)
        self._dialect = dialect
        self._values = _Values(reading.scanner, reading.collector.arguments, dialect)
        self._end = reading.atoms(reading.form.call_close.strip().removeprefix(dialect.close))
        ending, self._rest = reading.name_ending(name_close)
        self._names = {f"{tool.name}{ending}": tool.name for tool in reading.tools}

    def read(self) -> Reading[None]:
        """Read one call."""
        scanner, values = self._scanner, self._values
        name = self._names[(yield from scanner.choose(self._names))]
        yield from scanner.atoms(self._rest)
        self._calls.begin(name)
        held = ""
        try:
            yield from values.members(self._dialect.assign, self._dialect.close)
        except Unreadable:
            held = scanner.release()
            if scanner.is_at_end:
                raise
            values.close_all()
        self._calls.end()
        if held:
            scanner.hold(held)
            raise Unreadable
        yield from scanner.atoms(self._end)


def python_calls(reading: CallReading) -> LooseCalls:
    """``f(a=1, b='x')``."""
    return LooseCalls(reading, _PYTHON, "(")


def braced_calls(reading: CallReading) -> LooseCalls:
    """``f{a:1,b:<|"|>x<|"|>}``."""
    form = reading.form
    quotes = ((form.string_open, form.string_close), ('"', '"'))
    dialect = Dialect(quotes, is_escaped=False, assign=form.argument_name_close.strip(), close="}")
    return LooseCalls(reading, dialect, form.name_close)


def python_literal(text: str) -> str:
    """A list or dictionary of Python as JSON, "" if it is none."""
    scanner, parts = Scanner(), list[str]()
    scanner.add(text.strip())
    scanner.is_over = True
    try:
        for _ in _Values(scanner, parts.append, _PYTHON).value():
            pass
    except Unreadable:
        return ""
    return "".join(parts) if scanner.is_at_end else ""


class _Values:
    """Reads values and passes them on as JSON."""

    def __init__(self, scanner: Scanner, sink: Callable[[str], None], dialect: Dialect) -> None:
        self._scanner = scanner
        self._sink = sink
        self._dialect = dialect
        self._opens = tuple(opening for opening, _ in dialect.quotes)
        self._closes = dict(dialect.quotes)
        #: Brackets that are open in the JSON, and what is still to be written before the next value.
        self._brackets: list[str] = []
        self._due = ""

    def members(self, assign: str, close: str) -> Reading[None]:
        """Read the members of an object up to its end, whose beginning was taken."""
        self._open("{", "}")
        scanner, is_first = self._scanner, True
        while not (yield from self._is_closed(close, is_first=is_first)):
            key = yield from self._key(assign)
            yield from scanner.skip_blanks()
            self._due = f"{'' if is_first else ', '}{json.dumps(key, ensure_ascii=False)}: "
            yield from self.value()
            is_first = False
        self._close()

    def close_all(self) -> None:
        """Close all that is open: the rest cannot be read."""
        while self._brackets:
            self._close()

    def _open(self, bracket: str, closing: str) -> None:
        if len(self._brackets) >= _MAX_DEPTH:
            raise Unreadable
        self._tell(bracket)
        self._brackets.append(closing)

    def _close(self) -> None:
        self._due = ""
        self._tell(self._brackets.pop())

    def _tell(self, text: str) -> None:
        """More JSON, from text that was taken and need not be held any more."""
        self._scanner.release()
        due, self._due = self._due, ""
        self._sink(due + text)

    def _is_closed(self, close: str, *, is_first: bool) -> Reading[bool]:
        """Take the closing bracket if it comes, otherwise the comma before the next member or element."""
        scanner = self._scanner
        scanner.hold()
        yield from scanner.skip_blanks()
        if (yield from scanner.optional(close)):
            return True
        if is_first:
            return False
        yield from scanner.literal(",")
        yield from scanner.skip_blanks()
        return (yield from scanner.optional(close))

    def _key(self, assign: str) -> Reading[str]:
        scanner = self._scanner
        opening = yield from scanner.next_of(self._opens)
        parts: list[str] = []
        if opening:
            scanner.take(len(opening))
            yield from self._string(opening, parts.append)
            yield from scanner.atoms([assign])
            return "".join(parts)
        while (char := (yield from scanner.peek())) and char not in ",{}[]()\"'" and char != assign[0]:
            parts.append(scanner.take(1))
        if not "".join(parts).strip():
            raise Unreadable
        yield from scanner.literal(assign)
        return "".join(parts).strip()

    def value(self) -> Reading[None]:
        """Read a value."""
        scanner = self._scanner
        opening = yield from scanner.next_of([*self._opens, "{", "[", "("])
        scanner.take(len(opening))
        if opening == "{":
            yield from self.members(":", "}")
        elif opening in ("[", "("):
            yield from self._elements("]" if opening == "[" else ")")
        elif opening:
            self._tell('"')
            yield from self._string(opening, lambda text: self._sink(in_string(text)))
            self._sink('"')
        else:
            yield from self._scalar()

    def _elements(self, close: str) -> Reading[None]:
        self._open("[", "]")
        is_first = True
        while not (yield from self._is_closed(close, is_first=is_first)):
            self._due = "" if is_first else ", "
            yield from self.value()
            is_first = False
        self._close()

    def _scalar(self) -> Reading[None]:
        taken: list[str] = []
        while (char := (yield from self._scanner.peek())) and char not in ",}])":
            taken.append(self._scanner.take(1))
        text = "".join(taken).strip()
        if not char or not text:
            raise Unreadable
        self._tell(as_json(text, _SCALARS))

    def _string(self, opening: str, sink: Callable[[str], None]) -> Reading[None]:
        """Pass on a string, and take what closes it."""
        close = self._closes[opening]
        marks = Marks([close, "\\"] if self._dialect.is_escaped else [close])
        while (mark := (yield from self._scanner.until(marks, sink))) != close:
            if mark is None:
                raise Unreadable
            sink((yield from self._escape()))

    def _escape(self) -> Reading[str]:
        """What stands behind a backslash."""
        char = yield from self._scanner.peek()
        if not char:
            raise Unreadable
        self._scanner.take(1)
        if char not in _CODES:
            return _ESCAPES.get(char, char if char in "'\"\\" else f"\\{char}")
        digits = ""
        while len(digits) < _CODES[char] and (yield from self._scanner.peek()) in _HEX_DIGITS:
            digits += self._scanner.take(1)
        code = int(digits, 16) if len(digits) == _CODES[char] else 0x110000
        return chr(code) if code < 0xD800 or 0xDFFF < code < 0x110000 else f"\\{char}{digits}"
