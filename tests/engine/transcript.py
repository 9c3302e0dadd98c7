"""Transcript files: scenarios of commands, each block of them followed by the output that is expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Begins the line with a scenario's title.
TITLE = "== "
#: Ends a block's commands; its output begins in the next line, and ends before an empty one.
SEPARATOR = "----"


class TranscriptError(Exception):
    """A line of a transcript that cannot be understood; the message names it, so that editors can jump there."""

    def __init__(self, path: Path, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}")


@dataclass(frozen=True, slots=True)
class Command:
    """A command and the number of its line, from 1."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Block:
    """Commands, and what they are expected to print; ``end`` is the index of the line behind the output."""

    commands: tuple[Command, ...]
    output: tuple[str, ...]
    end: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """A titled part of a transcript, independent of all others."""

    title: str
    blocks: tuple[Block, ...]


class Transcript:
    """A transcript file.

    Args:
        path: the file.

    Raises:
        TranscriptError: it is no transcript.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = path.read_text(encoding="utf-8").splitlines()
        self._at = 0
        self.scenarios = {scenario.title: scenario for scenario in self._read_scenarios()}

    def rewrite(self, scenario: Scenario, outputs: Sequence[Sequence[str]]) -> None:
        """Replace what a scenario's blocks are expected to print, in the file."""
        lines = self._lines.copy()
        for block, output in reversed(list(zip(scenario.blocks, outputs, strict=True))):
            lines[block.end - len(block.output) : block.end] = output
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _read_scenarios(self) -> list[Scenario]:
        scenarios: list[Scenario] = []
        while (line := self._next_line()) is not None:
            if not line.startswith(TITLE):
                raise self._error(f"a scenario begins with {TITLE!r} and its title")
            title = line.removeprefix(TITLE)
            if any(scenario.title == title for scenario in scenarios):
                raise self._error(f"there is another scenario {title!r}")
            scenarios.append(Scenario(title, self._read_blocks()))
        return scenarios

    def _read_blocks(self) -> tuple[Block, ...]:
        blocks: list[Block] = []
        commands: list[Command] = []
        while (line := self._next_line()) is not None and not line.startswith(TITLE):
            if line == SEPARATOR:
                output = self._read_output()
                blocks.append(Block(tuple(commands), output, self._at))
                commands = []
            else:
                commands.append(Command(line, self._at))
        if line is not None:
            self._at -= 1
        if commands or not blocks:
            raise self._error(f"what the commands before this print is missing: {SEPARATOR!r} and the output")
        return tuple(blocks)

    def _read_output(self) -> tuple[str, ...]:
        start = self._at
        while self._at < len(self._lines) and self._lines[self._at].strip():
            self._at += 1
        return tuple(self._lines[start : self._at])

    def _next_line(self) -> str | None:
        """The next line that is neither empty nor a comment; None at the end."""
        while self._at < len(self._lines):
            line = self._lines[self._at].strip()
            self._at += 1
            if line and not line.startswith("#"):
                return line
        return None

    def _error(self, problem: str) -> TranscriptError:
        return TranscriptError(self.path, self._at, problem)
