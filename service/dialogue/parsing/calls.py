"""Readers of tool calls that hold JSON. Each begins behind ``call_open`` and takes ``call_close``, too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from service.dialogue.parsing.scanner import Reading, Unreadable, atoms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.dialogue.chat_format import CallFormat
    from service.dialogue.parsing.collector import Collector
    from service.dialogue.parsing.scanner import Scanner
    from service.dialogue.tools import Tool

#: Both are understood, whichever the format has.
_ARGUMENT_KEYS = ("arguments", "parameters")
_DIGITS = frozenset("0123456789")


class CallReader(Protocol):
    """Reads calls of one style."""

    def read(self) -> Reading[None]:
        """Read one call; ``Scanner.hold`` was called.

        Raises:
            Unreadable: it is none, or does not go on as one. What was taken and is not told is held by the scanner.
        """


@dataclass(frozen=True, slots=True)
class CallReading:
    """What readers of calls need.

    Attributes:
        scanner: where the text comes from.
        collector: is told of the calls.
        form: how they are written.
        tools: those that may be called.
        control_tokens: names of control tokens in the marks of ``form``.
    """

    scanner: Scanner
    collector: Collector
    form: CallFormat
    tools: Sequence[Tool]
    control_tokens: Sequence[str] = ()

    def atoms(self, text: str) -> tuple[str, ...]:
        """The parts of a mark between which blanks do not matter."""
        return atoms(text, self.control_tokens)

    def name_ending(self, text: str) -> tuple[str, tuple[str, ...]]:
        """The first thing behind a name, a blank or an atom, and the atoms behind that."""
        parts = self.atoms(text)
        return (text[0], parts) if text[:1].isspace() else ("".join(parts[:1]), parts[1:])


class Begun:
    """How readers tell of a call.

    Args:
        scanner: what is held there is dropped when a call begins, and what comes behind its arguments held again.
        collector: is told.
    """

    def __init__(self, scanner: Scanner, collector: Collector) -> None:
        self._scanner = scanner
        self._collector = collector

    def begin(self, name: str) -> None:
        """The name is complete, and arguments come."""
        self._scanner.release()
        self._collector.begin_call(name)

    def end(self) -> None:
        """The arguments are complete."""
        self._collector.end_call()
        self._scanner.hold()

    def whole(self, name: str, arguments: str) -> None:
        """A call whose arguments are known already."""
        self.begin(name)
        self._collector.arguments(arguments)
        self.end()

    def json_object(self, name: str) -> Reading[None]:
        """A call whose arguments are an object of JSON that comes next, and are passed on as they come.

        Raises:
            Unreadable: something else comes.
        """
        if (yield from self._scanner.peek()) != "{":
            raise Unreadable
        self.begin(name)
        if (yield from self._scanner.brackets(self._collector.arguments)):
            self.end()


class JsonCalls:
    """``{"name": "f", "arguments": {...}}``; members may come in any order."""

    def __init__(self, reading: CallReading) -> None:
        scanner, form, tools = reading.scanner, reading.form, reading.tools
        self._scanner = scanner
        self._calls = Begun(scanner, reading.collector)
        self._end = reading.atoms(form.call_close)
        self._name_key = form.name_key
        self._arguments_keys = {form.arguments_key, *_ARGUMENT_KEYS} - {form.name_key}
        self._names = quoted_names(tools)

    def read(self) -> Reading[None]:
        """Read one call."""
        scanner = self._scanner
        name, early, is_told, key = "", "", False, ""
        yield from scanner.literal("{")
        while True:
            yield from scanner.skip_blanks()
            key = _decoded((yield from scanner.json_string()))
            yield from scanner.atoms(":")
            yield from scanner.skip_blanks()
            if key == self._name_key and not name:
                name = self._names[(yield from scanner.choose(self._names))]
            elif key in self._arguments_keys and name and not is_told:
                yield from self._arguments(name)
                is_told = True
            else:
                value = yield from scanner.json_value()
                early = value if key in self._arguments_keys else early
            yield from scanner.skip_blanks()
            if (yield from scanner.choose(",}")) == "}":
                break
        if not name:
            raise Unreadable
        if not is_told:
            self._calls.whole(name, arguments_text(early))
        yield from scanner.atoms(self._end)

    def _arguments(self, name: str) -> Reading[None]:
        if (yield from self._scanner.peek()) == "{":
            yield from self._calls.json_object(name)
        else:
            self._calls.whole(name, arguments_text((yield from self._scanner.json_value())))


class NameKeyCalls:
    """``{"f": {...}}``."""

    def __init__(self, reading: CallReading) -> None:
        self._scanner = reading.scanner
        self._calls = Begun(reading.scanner, reading.collector)
        self._end = ("}", *reading.atoms(reading.form.call_close))
        self._names = quoted_names(reading.tools)

    def read(self) -> Reading[None]:
        """Read one call."""
        scanner = self._scanner
        yield from scanner.literal("{")
        yield from scanner.skip_blanks()
        name = self._names[(yield from scanner.choose(self._names))]
        yield from scanner.atoms(":")
        yield from scanner.skip_blanks()
        yield from self._calls.json_object(name)
        yield from scanner.atoms(self._end)


class NameJsonCalls:
    """The name, then ``name_close`` and an object of JSON, with ids around the name that are not used."""

    def __init__(self, reading: CallReading) -> None:
        form = reading.form
        self._scanner = reading.scanner
        self._calls = Begun(reading.scanner, reading.collector)
        self._end = reading.atoms(form.call_close)
        self._id_close = form.id_close.strip()
        self._has_id = bool(form.id_open)
        self._name_prefix = form.name_prefix
        self._close = reading.atoms(form.name_close)
        ending, self._rest = reading.name_ending(form.id_open or form.name_close)
        # What follows a name is part of what is compared, for one name may begin like another one.
        before_index, self._index, behind_index = form.name_suffix.partition("{index}")
        self._behind_index = behind_index + ending
        behind = before_index if self._index else before_index + ending
        self._names = {f"{tool.name}{behind}": tool.name for tool in reading.tools}

    def read(self) -> Reading[None]:
        """Read one call."""
        scanner = self._scanner
        if self._id_close:
            yield from self._skip_id(self._id_close)
            yield from scanner.skip_blanks()
        yield from scanner.literal(self._name_prefix)
        name = self._names[(yield from scanner.choose(self._names))]
        if self._index:
            while (yield from scanner.peek()) in _DIGITS:
                scanner.take(1)
            yield from scanner.literal(self._behind_index)
        yield from scanner.atoms(self._rest)
        if self._has_id:
            yield from self._skip_id(*self._close)
        yield from scanner.skip_blanks()
        if self._end and (yield from scanner.peek()) == self._end[0][0] != "{":
            self._calls.whole(name, "{}")
        else:
            yield from self._calls.json_object(name)
        yield from scanner.atoms(self._end)

    def _skip_id(self, *marks: str) -> Reading[None]:
        """Take an id and the marks behind it."""
        while (char := (yield from self._scanner.peek())) and (char.isalnum() or char in "_-.:"):
            self._scanner.take(1)
        yield from self._scanner.atoms(marks)


def quoted_names(tools: Sequence[Tool]) -> Mapping[str, str]:
    """Names of tools by the ways in which JSON writes them."""
    quoted = {json.dumps(tool.name): tool.name for tool in tools}
    return quoted | {json.dumps(tool.name, ensure_ascii=False): tool.name for tool in tools}


def arguments_text(value: str) -> str:
    """Arguments as the text of an object, from a value of JSON: such an object, its text as a string, or nothing.

    Raises:
        Unreadable: it is something else.
    """
    if value in ("", "null"):
        return "{}"
    if value.startswith('"'):
        value = _decoded(value).strip()
    if not value.startswith("{"):
        raise Unreadable
    return value


def _decoded(string: str) -> str:
    """The text of a string of JSON.

    Raises:
        Unreadable: it is none.
    """
    try:
        return str(json.loads(string, strict=False))
    except ValueError as error:
        raise Unreadable from error
