"""The ``slotline`` command."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from slotline.cli.commands import COMMANDS, KNOWN_VARIABLES, Command, overview
from slotline.cli.default_model import NoDefaultModel
from slotline.cli.options.environment import parse_with_environment
from slotline.cli.options.llama_variables import over_llama_variables
from slotline.cli.options.suggestions import nearest
from slotline.cli.options.table import HELP, VERSION, HelpRequested, UsageError, VersionRequested
from slotline.cli.start_errors import BindError, StartError
from slotline.cli.version import version_text

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What shells report for a process that SIGINT ended.
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; None for those of the process.

    Returns:
        The exit status.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else "help"
    try:
        if name in COMMANDS:
            return _run(COMMANDS[name], arguments[1:])
        if name in ("version", VERSION):
            print(version_text(), end="")
            return 0
        if name in ("help", *HELP):
            return _help(arguments[1:])
    except KeyboardInterrupt:
        return INTERRUPTED
    near = "serve" if name.startswith("-") else nearest(name, COMMANDS)
    hint = f" (did you mean `slotline {near}`?)" if near else ""
    return _mistake(overview(), f"error: unknown command: {name}{hint}")


def _run(command: Command, arguments: Sequence[str]) -> int:
    try:
        parsed = parse_with_environment(command.groups, arguments, os.environ, KNOWN_VARIABLES)
        if command.reads_llama_variables:
            parsed = over_llama_variables(parsed, command.groups, os.environ)
        return command.run(parsed)
    except HelpRequested:
        print(command.usage, end="")
        return 0
    except VersionRequested:
        print(version_text(), end="")
        return 0
    except UsageError as error:
        return _mistake(command.usage, *error.lines)
    except BindError as error:
        print(f"\n{error}\n\n{error.advice}", file=sys.stderr)
        return 1
    except (StartError, NoDefaultModel) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _mistake(usage: str, *errors: str) -> int:
    """Report a mistake in the arguments: the usage on stdout, what is wrong on stderr; returns the exit status."""
    # In this order, because a long usage would push an error above it off the screen.
    print(usage, end="", flush=True)
    print(*errors, sep="\n", file=sys.stderr)
    return 1


def _help(names: Sequence[str]) -> int:
    if not names:
        print(overview(), end="")
        return 0
    command = COMMANDS.get(names[0])
    if command is None:
        print(f"error: unknown command: {names[0]}; known are {', '.join(COMMANDS)}", file=sys.stderr)
        return 1
    print(command.usage, end="")
    return 0
