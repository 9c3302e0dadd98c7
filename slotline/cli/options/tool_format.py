"""``--tool-format``: the name of a format of tool calls, or a file that describes one."""

from __future__ import annotations

from pathlib import Path

from service.dialogue.description import resolve_tool_format
from service.dialogue.known_formats import KNOWN_FORMATS
from service.errors import InvalidArgument
from slotline.cli.options.files import read_text
from slotline.cli.options.values import InvalidValue, text

MAX_BYTES = 64 << 10


def tool_format(name: str, value: str) -> str:
    """The name, or what the file holds.

    Raises:
        InvalidValue: neither a name nor a file with a description.
    """
    choice = text(name, value)
    if choice in KNOWN_FORMATS:
        return choice
    if not Path(choice).exists():
        names = ", ".join(sorted(KNOWN_FORMATS))
        raise InvalidValue(f"{name} {choice}: is neither a file nor one of {names}")
    described = read_text(name, choice, MAX_BYTES)
    if not described.lstrip().startswith("{"):
        raise InvalidValue(f"{name} {choice}: is not a JSON object")
    try:
        resolve_tool_format(described)
    except InvalidArgument as error:
        raise InvalidValue(f"{name} {choice}: {error.problem}") from None
    return described
