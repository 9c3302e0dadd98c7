"""Tables of counted figures: what they may be, and how they are written anew."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: So far below what is written, as a part of it, a figure means that the table is out of date.
STALE = 0.15
#: Room above what is written, as a part of it, for figures that differ a little between versions of Python.
ROOM = 0.05
#: The same for what threads do beside each other: who lags behind does a little more, or less, for each token.
THREADS_ROOM = 0.1

_GAP = re.compile(r" {2,}")
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Figure:
    """A counted figure.

    Attributes:
        value: what was counted.
        above, below: how far above and below what is written it may be, as a part of that.
    """

    value: float
    above: float = 0.0
    below: float = STALE


class FigureTable:
    """A file with a table: a figure in each row, and a column for each case.

    Lines that begin with ``#`` are comments, the first other line has the names of the columns, and two blanks or more
    separate what stands in a line.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines()
        self._comments = [line for line in lines if line.startswith("#")]
        head, *rows = [_GAP.split(line.strip()) for line in lines if line.strip() and not line.startswith("#")]
        self._corner, *self._columns = head
        self._rows = {name: dict(zip(self._columns, values, strict=True)) for name, *values in rows}

    def problems(self, column: str, figures: Mapping[str, Figure]) -> list[str]:
        """What is wrong with the figures of a case, one line each."""
        written = {name: row[column] for name, row in self._rows.items() if row[column] != _NONE}
        problems = [f"{name}: is written, but was not counted" for name in written if name not in figures]
        for name, figure in figures.items():
            if name not in written:
                problems.append(f"{name}: {_text(figure.value)}, not written yet")
                continue
            limit = float(written[name])
            # What is written is rounded.
            if figure.value > limit * (1 + figure.above) + 0.005:
                problems.append(f"{name}: {_text(figure.value)}, more than the {written[name]} that are written")
            elif figure.value < limit * (1 - figure.below) - 0.005:
                problems.append(f"{name}: {_text(figure.value)}, far less than the {written[name]} that are written")
        return problems

    def rewrite(self, column: str, figures: Mapping[str, Figure]) -> None:
        """Write the figures of a case; rows that no case has any more go."""
        unknown = dict.fromkeys(self._columns, _NONE)
        # In the order of counting; what other cases have beside it stays behind.
        counted = {name: self._rows.get(name, unknown) | {column: _text(one.value)} for name, one in figures.items()}
        others = {name: row | {column: _NONE} for name, row in self._rows.items() if name not in figures}
        self._rows = counted | others
        rows = [[self._corner, *self._columns]]
        rows += [[name, *row.values()] for name, row in self._rows.items() if any(v != _NONE for v in row.values())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join([name.ljust(widths[0]), *map(str.rjust, values, widths[1:])]) for name, *values in rows]
        self._path.write_text("\n".join([*self._comments, "", *lines]) + "\n", encoding="utf-8")


def check(path: Path, column: str, figures: Mapping[str, Figure], *, is_rewriting: bool) -> None:
    """Compare the figures of a case with a table, or write them there."""
    table = FigureTable(path)
    if is_rewriting:
        table.rewrite(column, figures)
    elif problems := table.problems(column, figures):
        text = "\n".join(problems)
        pytest.fail(
            f"{path.name}, column {column!r}:\n{text}\n"
            "If that is right, write it down, and say in the commit why: pytest tests/counts --rewrite",
            pytrace=False,
        )


def _text(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
