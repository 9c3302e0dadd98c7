"""Writes ``docs/options.md``, the reference of all options of the command line, from their tables, or checks it.

Run it as ``make docs``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from slotline.cli.commands import COMMANDS
from slotline.cli.options.defaults import shown_default
from slotline.cli.options.environment import variable_of
from slotline.cli.options.table import Flag, Value
from slotline.cli.options.values import allowed_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slotline.cli.options.table import Group, Option

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/options.md"
_HEAD = """\
# Options

<!-- Written by `make docs` from the tables of options in slotline/cli; do not edit. -->

Every option of every command. A value on the command line wins over the environment variable of the option; an option
without a value takes 1 or 0 there. Names are never abbreviated, a value is an argument of its own, and of an option
that is given twice the last one counts, unless it may repeat.

`slotline serve`, `core` and `rest` also read the variables of llama.cpp's server, such as `LLAMA_ARG_CTX_SIZE` and
`LLAMA_API_KEY`, for options that both have. Our own variables win over these, and the command line over all.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for group, commands in _groups():
        users = ", ".join(f"`slotline {name}`" for name in commands)
        parts.append(f"\n## {group.title[0].upper()}{group.title[1:]}\n\nOf {users}.\n\n")
        parts.append("| option | value | default | variable | meaning |\n|---|---|---|---|---|\n")
        parts += [_row(option) for option in group.options]
    return "".join(parts)


def _groups() -> Iterator[tuple[Group, list[str]]]:
    """The groups in the order in which the commands show them, each once, with the commands that have it."""
    commands: dict[int, list[str]] = {}
    groups: dict[int, Group] = {}
    for name, command in COMMANDS.items():
        for group in command.groups:
            groups[id(group)] = group
            commands.setdefault(id(group), []).append(name)
    for identity, group in groups.items():
        yield group, commands[identity]


def _row(option: Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.names)
    value = "" if isinstance(option, Flag) else f"`{option.metavar}`"
    default = ""
    if isinstance(option, Value):
        allowed = allowed_by(option.convert)
        value += f": {allowed}" if allowed else ""
        default = shown_default(option)
    # Help alone has none: asking for it is no setting.
    variable = f"`{variable_of(option)}`" if "--help" not in option.names else ""
    cells = (names, value, default, variable, option.help)
    return "|" + "".join(f" {_cell(cell)} |" if cell else " |" for cell in cells) + "\n"


def _cell(text: str) -> str:
    """Text as a cell of a table shows it."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    """Write the page, or with ``--check`` compare. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/options.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is stale")
    arguments = parser.parse_args()
    wanted = page()
    if not arguments.check:
        PAGE.write_text(wanted)
    elif not PAGE.exists() or PAGE.read_text() != wanted:
        print(f"error: {PAGE.relative_to(ROOT)} does not match the options; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
