"""What a scenario hands back, and its form as JSON; ``tables`` shows it to people."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bench.harness.errors import BenchError
from bench.harness.stats import median

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit that a median should keep."""

    relation: Literal["at least", "at most"]
    limit: float

    def is_met(self, value: float) -> bool:
        """Whether the value keeps the limit."""
        return value >= self.limit if self.relation == "at least" else value <= self.limit

    def __str__(self) -> str:
        return f"{self.relation} {self.limit:.3g}"


@dataclass(frozen=True, slots=True)
class Point:
    """Where a figure stands in a plot.

    Attributes:
        plot: title of the plot; it says what x is.
        line: which line of the plot the figure belongs to.
        x: position on the horizontal axis.
    """

    plot: str
    line: str
    x: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured quantity.

    Attributes:
        row: what was measured, for example ``decoding, 8 streams``.
        unit: unit of the samples; empty for ratios.
        samples: one per round, in the order measured; at least one.
        goal: limit for the median, or None.
        point: place on a curve, or None for a figure that stands alone.
        column: of whom it was measured, for example ``REST``; empty for a figure that is compared with none.
        against: by whose figure it is divided, for example ``llama-server``; empty for what is not a ratio.
    """

    row: str
    unit: str
    samples: tuple[float, ...]
    goal: Goal | None = None
    point: Point | None = None
    column: str = ""
    against: str = ""

    @property
    def heading(self) -> str:
        """Whose figure this is: ``REST``, or ``REST / llama-server`` for a ratio."""
        return f"{self.column} / {self.against}" if self.against else self.column

    @property
    def name(self) -> str:
        """What was measured, and of whom."""
        return f"{self.row}: {self.heading}" if self.column else self.row

    @property
    def median(self) -> float:
        """The median of the samples."""
        return median(self.samples)

    @property
    def is_goal_met(self) -> bool | None:
        """Whether the median keeps the goal; None without a goal."""
        return None if self.goal is None else self.goal.is_met(self.median)


@dataclass(frozen=True, slots=True)
class Result:
    """What one scenario found.

    Attributes:
        scenario: its name on the command line.
        title: one line on what was compared.
        figures: the figures, in the order in which they should be read.
        notes: what a reader must know to judge them, for example how many rounds were disturbed.
        table: what people see instead of the figures; empty for tables of them.
        failures: what could not be measured, and why; the figures are those of everything else.
    """

    scenario: str
    title: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    table: str = ""
    failures: tuple[str, ...] = ()


def join(scenario: str, title: str, results: Sequence[Result]) -> Result:
    """The parts of one scenario as one result; equal notes once."""
    return Result(
        scenario,
        title,
        tuple(figure for result in results for figure in result.figures),
        tuple(dict.fromkeys(note for result in results for note in result.notes)),
        failures=tuple(failure for result in results for failure in result.failures),
    )


def count_of(number: int, what: str) -> str:
    """``1 stream``, ``8 streams``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def to_json(results: Sequence[Result], conditions: Mapping[str, str]) -> str:
    """All results and the conditions they were measured under, as one JSON object."""
    document = {
        "conditions": dict(conditions),
        "results": [
            {
                "scenario": result.scenario,
                "title": result.title,
                "notes": list(result.notes),
                "table": result.table,
                "failures": list(result.failures),
                "figures": [_figure_object(figure) for figure in result.figures],
            }
            for result in results
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def read_json(file: Path) -> tuple[list[Result], dict[str, str]]:
    """What ``to_json`` wrote: results and conditions.

    Raises:
        BenchError: the file cannot be read, or is something else.
    """
    try:
        document = json.loads(file.read_text())
        results = [
            Result(
                result["scenario"],
                result["title"],
                tuple(map(_figure_of, result["figures"])),
                tuple(result["notes"]),
                result["table"],
                tuple(result["failures"]),
            )
            for result in document["results"]
        ]
        return results, dict(document["conditions"])
    except OSError as error:
        raise BenchError(f"{file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{file} was not written by this version of `python -m bench`: {error!r}") from error


def _figure_object(figure: Figure) -> dict[str, object]:
    return {
        "name": figure.name,
        "row": figure.row,
        "column": figure.column,
        "against": figure.against,
        "unit": figure.unit,
        "median": figure.median,
        "samples": list(figure.samples),
        "goal": None if figure.goal is None else dataclasses.asdict(figure.goal),
        "goal_met": figure.is_goal_met,
        "point": None if figure.point is None else dataclasses.asdict(figure.point),
    }


def _figure_of(entry: Mapping[str, Any]) -> Figure:
    return Figure(
        entry["row"],
        entry["unit"],
        tuple(entry["samples"]),
        None if entry["goal"] is None else Goal(**entry["goal"]),
        None if entry["point"] is None else Point(**entry["point"]),
        entry["column"],
        entry["against"],
    )
