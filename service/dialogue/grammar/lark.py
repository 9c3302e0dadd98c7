"""Pieces of grammars in Lark."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Any text, as a regular expression. No expression matches control tokens, which are no text.
ANY = r"(.|\n)*"
BLANKS = r"[ \t\r\n]*"
#: JSON as chat templates write it, so that a call that was made is found again in the prompt of the next turn.
_SPACING = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_DEFINITIONS = ("$defs", "definitions")


def quoted(text: str) -> str:
    """A text as a literal; "" for an empty one."""
    return json.dumps(text, ensure_ascii=False) if text else ""


def pattern(text: str) -> str:
    """A text as a part of a regular expression."""
    return re.sub(r"[^0-9A-Za-z]", lambda found: rf"\x{{{ord(found[0]):x}}}", text)


def sequence(*parts: str) -> str:
    """Parts of a rule behind each other; empty ones are left out."""
    return " ".join(filter(None, parts))


def choice(options: Iterable[str]) -> str:
    """One of several expressions."""
    options = list(options)
    return options[0] if len(options) == 1 else f"({' | '.join(options)})"


def optional(part: str) -> str:
    """An expression, or nothing."""
    return f"({part})?" if part else ""


def json_value(schema: Any, root: Mapping[str, Any], *, is_strict: bool) -> str:
    """An expression for JSON that obeys a schema.

    Args:
        schema: of the value.
        root: has the definitions that it refers to.
        is_strict: whether keywords that cannot be enforced are an error; otherwise they are left out.
    """
    definitions = {name: root[name] for name in _DEFINITIONS if name in root}
    body = {**schema, **definitions} if isinstance(schema, dict) else {"allOf": [schema], **definitions}
    return f"%json {json.dumps({**body, 'x-guidance': {**_SPACING, 'lenient': not is_strict}})}"


class Grammar:
    """Rules that are written one after the other.

    Args:
        token_ids: ids of the control tokens among the markers, by their names.
    """

    def __init__(self, token_ids: Mapping[str, int]) -> None:
        self._ids = dict(token_ids)
        names = sorted(filter(None, token_ids), key=len, reverse=True)
        self._names = re.compile("(" + "|".join(map(re.escape, names)) + ")") if names else None
        self._lines = ["%llguidance {}"]
        self._n_rules = 0

    @property
    def controls(self) -> Iterable[str]:
        """Names of the control tokens."""
        return self._ids.keys()

    def is_control(self, name: str) -> bool:
        """Whether this is a control token."""
        return name in self._ids

    def has_control(self, text: str) -> bool:
        """Whether any part of a marker is a control token."""
        return self._names is not None and self._names.search(text) is not None

    def rule(self, body: str, *, lazy: bool = False) -> str:
        """A new rule, by its name; a lazy one ends where it is complete first."""
        self._n_rules += 1
        name = f"r{self._n_rules}"
        self._lines.append(f"{name}{'[lazy]' if lazy else ''}: {body}")
        return name

    def reserve(self) -> str:
        """The name of a rule that is defined later, so that it can refer to itself."""
        self._n_rules += 1
        return f"r{self._n_rules}"

    def define(self, name: str, body: str) -> None:
        """Define a rule whose name was reserved."""
        self._lines.append(f"{name}: {body}")

    def terminal(self, body: str) -> str:
        """A new terminal, by its name."""
        self._n_rules += 1
        name = f"T{self._n_rules}"
        self._lines.append(f"{name}: {body}")
        return name

    def marker(self, text: str) -> str:
        """A marker: its control tokens, and the texts between them."""
        parts = self._names.split(text) if self._names is not None else [text]
        return sequence(*(f"<[{self._ids[part]}]>" if part in self._ids else quoted(part) for part in parts))

    def up_to(self, marker: str, *, unless: str = "") -> str:
        """Any text up to a marker, which is a control token or has none, and the marker.

        Args:
            marker: what ends the text the first time that it comes.
            unless: a regular expression that the text must not match from its beginning.
        """
        if self.is_control(marker):
            return sequence(self.text(unless=unless), self.marker(marker))
        return self.rule(self.terminal(f"/{ANY}{pattern(marker)}/{_without(unless)}"), lazy=True)

    def text(self, *, unless: str = "") -> str:
        """Any text to the end, unless its beginning matches a regular expression."""
        return self.terminal(f"/{ANY}/{_without(unless)}")

    def text_without(self, markers: Iterable[str]) -> str:
        """Any text to the end in which none of some markers comes; control tokens never do."""
        written = [pattern(marker) for marker in markers if not self.is_control(marker)]
        return self.text(unless=f"{ANY}({'|'.join(written)})" if written else "")

    def complete(self, start: str) -> str:
        """All of it, beginning with this expression."""
        return "\n".join([self._lines[0], f"start: {start}", *self._lines[1:]]) + "\n"


def _without(beginning: str) -> str:
    """The part of a terminal that excludes texts whose beginning matches a regular expression; "" for none."""
    return f" & ~/{beginning}{ANY}/" if beginning else ""
