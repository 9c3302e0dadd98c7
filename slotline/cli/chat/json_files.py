"""JSON that a person writes, on the command line or in a file."""

from __future__ import annotations

import json
from typing import Never

from slotline.cli.options.files import read_text
from slotline.cli.options.values import InvalidValue

# Stands before the name of a file to read a value from.
_FILE = "@"


def file_or_text(name: str, value: str, max_bytes: int) -> str:
    """A text, or what is in the file named after an ``@``.

    Raises:
        InvalidValue: the file cannot be read, or is larger than ``max_bytes``.
    """
    return read_text(name, value.removeprefix(_FILE), max_bytes) if value.startswith(_FILE) else value


def place_of(name: str, value: str) -> str:
    """What to call a value in messages: by its file, or by the option alone."""
    return f"{name} {value.removeprefix(_FILE)}" if value.startswith(_FILE) else name


def parse_json(where: str, text: str) -> object:
    """The value of a JSON text.

    Args:
        where: what holds it, for messages.
        text: the text.

    Raises:
        InvalidValue: it is none; the message says where.
    """

    def no_constant(constant: str) -> Never:
        raise ValueError(f"{constant} is no value of JSON")

    try:
        parsed: object = json.loads(text, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidValue(f"{where}: is not JSON: {error.msg} at {place}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"{where}: is not JSON: {error}") from None
    return parsed
