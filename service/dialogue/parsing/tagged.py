"""Calls with marks around each argument: values become JSON while they come, by the schema of the tool."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from service.dialogue.parsing.calls import Begun, CallReading
from service.dialogue.parsing.loose import python_literal
from service.dialogue.parsing.scanner import Marks, Reading, Unreadable, atoms
from service.dialogue.parsing.schemas import ALL_KINDS, as_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.dialogue.tools import Tool

_STRING = frozenset({"string"})


class TaggedCalls:
    """The name, then each argument between ``argument_open`` and ``argument_close``."""

    def __init__(self, reading: CallReading) -> None:
        form = reading.form
        self._scanner = reading.scanner
        self._collector = reading.collector
        self._calls = Begun(reading.scanner, reading.collector)
        self._form = form
        self._open = reading.atoms(form.argument_open)
        self._end = reading.atoms(form.call_close)
        self._separator = form.argument_separator.strip()
        self._value_open = reading.atoms(form.argument_name_close)
        ending, self._rest = reading.name_ending(form.name_close)
        # A name may end where something else begins, which is then taken with it.
        endings = dict.fromkeys([ending, self._open[0], *self._end[:1]] if ending.isspace() or not ending else [ending])
        self._names = {
            f"{tool.name}{behind}": (tool, behind if behind != ending else "")
            for tool in reading.tools
            for behind in endings
            if behind
        }

    def read(self) -> Reading[None]:
        """Read one call."""
        scanner = self._scanner
        tool, taken = self._names[(yield from scanner.choose(self._names))]
        if not taken:
            yield from scanner.atoms(self._rest)
        self._calls.begin(tool.name)
        n_arguments, held = 0, ""
        try:
            while (yield from self._next(taken)):
                yield from self._argument(tool, is_first=not n_arguments)
                n_arguments, taken = n_arguments + 1, ""
        except Unreadable:
            held = scanner.release()
            if scanner.is_at_end:
                raise
        self._collector.arguments("}" if n_arguments else "{}")
        self._calls.end()
        if held:
            scanner.hold(held)
            raise Unreadable
        yield from scanner.atoms(self._end[1:])

    def _next(self, taken: str) -> Reading[bool]:
        """Take what begins an argument, or the first part of the end of the call; whether it was an argument."""
        scanner = self._scanner
        if not taken:
            scanner.hold()
            yield from scanner.skip_blanks()
            if (yield from scanner.optional(self._separator)):
                yield from scanner.skip_blanks()
            taken = yield from scanner.expect_one_of([self._open[0], *self._end[:1]])
        if taken != self._open[0]:
            return False
        yield from scanner.atoms(self._open[1:])
        return True

    def _argument(self, tool: Tool, *, is_first: bool) -> Reading[None]:
        form, scanner = self._form, self._scanner
        taken: list[str] = []
        if (yield from scanner.until(Marks(self._value_open[:1]), taken.append)) is None:
            raise Unreadable
        name = "".join(taken).strip()
        yield from scanner.atoms(self._value_open[1:])
        allowed = tool.kinds.get(name, ALL_KINDS)
        if form.string_open and form.value_open:
            opened = yield from scanner.choose([form.string_open, form.value_open])
            allowed = _STRING if opened == form.string_open else ALL_KINDS - _STRING
        yield from scanner.optional(form.argument_name_close[len(form.argument_name_close.rstrip()) :])
        begin = f"{'{' if is_first else ', '}{json.dumps(name, ensure_ascii=False)}: "
        close = form.argument_close.replace("{name}", name)
        if allowed == _STRING:
            scanner.release()
            self._collector.arguments(f'{begin}"')
            yield from self._value(close, self._collector.quoted)
            self._collector.arguments('"')
        else:
            parts: list[str] = []
            yield from self._value(close, parts.append)
            scanner.release()
            self._collector.arguments(begin + _json("".join(parts), allowed))

    def _value(self, close: str, sink: Callable[[str], None]) -> Reading[None]:
        """Pass on a value, and take what closes it."""
        first, *others = atoms(close)
        blanks = close[: len(close) - len(close.lstrip())]
        if (yield from self._scanner.until(Marks([blanks + first, first]), sink)) is None:
            raise Unreadable
        yield from self._scanner.atoms(others)


def _json(text: str, allowed: frozenset[str]) -> str:
    """A raw value as JSON; templates that know no better write lists and dictionaries of Python."""
    value = as_json(text, allowed)
    is_other = value.startswith('"') and text.lstrip()[:1] in ("[", "{") and allowed & {"array", "object"}
    return (is_other and python_literal(text)) or value
