"""Plays scenarios, and compares what they print with what is expected."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from tests.engine.arguments import CommandError
from tests.engine.player import Player
from tests.engine.transcript import Command, Scenario, TranscriptError

if TYPE_CHECKING:
    from pathlib import Path


def play(path: Path, scenario: Scenario) -> list[list[str]]:
    """Carry out a scenario; what each of its blocks prints.

    Raises:
        TranscriptError: a command cannot be carried out.
    """
    player = Player()
    return [
        [line for command in block.commands for line in play_command(player, path, command)]
        for block in scenario.blocks
    ]


def play_command(player: Player, path: Path, command: Command) -> list[str]:
    """Carry out a command, and name its place in whatever goes wrong."""
    try:
        return player.play(command.text)
    except CommandError as error:
        raise TranscriptError(path, command.line, str(error)) from error
    except Exception as error:
        error.add_note(f"{path}:{command.line}: {command.text}")
        raise


def difference(path: Path, scenario: Scenario, outputs: list[list[str]]) -> str:
    """What is printed other than expected, block by block; empty if nothing is."""
    parts: list[str] = []
    for block, output in zip(scenario.blocks, outputs, strict=True):
        if list(block.output) != output:
            lines = difflib.unified_diff(block.output, output, "expected", "printed", lineterm="", n=2)
            command = block.commands[-1]
            parts += [f"{path}:{command.line}: {command.text}", *list(lines)[2:], ""]
    return "\n".join(parts)
