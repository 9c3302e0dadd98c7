"""What a docstring says about a function and its parameters, in the styles of Google and of Sphinx."""

from __future__ import annotations

import re

_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields|Examples?|Notes?):\s*$")
_ENTRY = re.compile(r"^ +(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")
_FIELD = re.compile(r"^:param\s+(?:\S+\s+)?(\w+):\s*(.*)$")
_PARAMETERS = ("Args", "Arguments", "Parameters")


def described(docstring: str) -> tuple[str, dict[str, str]]:
    """The text up to the first section or field, and the texts about parameters by their names.

    Args:
        docstring: as ``inspect.getdoc`` gives it, without common indentation.
    """
    about: list[str] = []
    sections = _sections(docstring, about)
    return "\n".join(about).strip(), {name: " ".join(lines).strip() for name, lines in sections.items()}


def _sections(docstring: str, about: list[str]) -> dict[str, list[str]]:
    parameters: dict[str, list[str]] = {}
    section, entry_indent, lines = "", 0, about
    for line in docstring.splitlines():
        field = _FIELD.match(line)
        header = _SECTION.match(line)
        entry = _ENTRY.match(line) if section in _PARAMETERS else None
        indent = len(line) - len(line.lstrip())
        if header or line.startswith(":"):
            section, entry_indent, lines = (header[1] if header else "field"), 0, []
            if field:
                lines = parameters.setdefault(field[1], [field[2]])
        elif entry and indent == (entry_indent or indent):
            entry_indent = indent
            lines = parameters.setdefault(entry[1], [entry[2]])
        elif section and indent == 0 and line:
            # A text behind a section is about the function again, and not about the last parameter.
            section, lines = "text", []
        else:
            lines.append(line.strip() if section else line)
    return parameters
