"""The texts of ``--help``: options grouped and aligned, with their defaults."""

from __future__ import annotations

import shutil
import textwrap
from typing import TYPE_CHECKING

from slotline.cli.options.defaults import shown_default
from slotline.cli.options.table import Flag, Group, Option, Value, operand_of

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_WIDTH, MAX_WIDTH = 80, 100
COLUMN = 34
_VARIABLES = (
    "Every option can also be given as an environment variable, SLOTLINE_ and its long name: SLOTLINE_LOG_FORMAT=text "
    "for --log-format text, and for an option without a value =1 or =0. The command line wins."
)


def usage(command: str, groups: Sequence[Group], *, about: str, examples: Sequence[str] = ()) -> str:
    """The help of one command, ending with a line feed.

    Args:
        command: its name, without ``slotline``.
        groups: its options.
        about: what it does, in a sentence or two.
        examples: command lines worth trying.
    """
    operand = operand_of(groups)
    operands = f" [{operand.metavar}]" if operand is not None else ""
    parts = [f"usage: slotline {command} [options]{operands}", "", *_wrapped(about, 0), "", "options:"]
    for group in groups:
        parts += ["", f"{group.title}:"]
        for option in group.options:
            parts += _lines_of(option)
    parts += ["", *_wrapped(_VARIABLES, 0)]
    if examples:
        parts += ["", "examples:", *(f"  {example}" for example in examples)]
    return "\n".join(parts) + "\n"


def _lines_of(option: Option) -> list[str]:
    metavar = "" if isinstance(option, Flag) else f" {option.metavar}"
    names = "  " + ", ".join(option.names) + metavar
    described = option.help
    if isinstance(option, Value) and (default := shown_default(option)):
        described += f" (default: {default})"
    lines = _wrapped(described, COLUMN)
    if len(names) > COLUMN - 2:
        return [names, *lines]
    return [names.ljust(COLUMN) + lines[0].lstrip(), *lines[1:]]


def _wrapped(prose: str, indent: int) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(
        prose,
        _width(),
        initial_indent=margin,
        subsequent_indent=margin,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _width() -> int:
    """Columns of text: those of the terminal, within bounds."""
    return min(max(shutil.get_terminal_size((MAX_WIDTH, 24)).columns, MIN_WIDTH), MAX_WIDTH)
