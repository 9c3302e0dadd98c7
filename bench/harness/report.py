"""What a scenario hands back, and how it is shown: a table for people, JSON for machines."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bench.harness.stats import median

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit that a median should keep."""

    relation: Literal["at least", "at most"]
    limit: float

    def is_met(self, value: float) -> bool:
        """Whether the value keeps the limit."""
        return value >= self.limit if self.relation == "at least" else value <= self.limit


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
        name: what was measured, for example ``gRPC, 8 streams``.
        unit: unit of the samples; empty for ratios.
        samples: one per round, in the order measured; at least one.
        goal: limit for the median, or None.
        point: place on a curve, or None for a figure that stands alone.
    """

    name: str
    unit: str
    samples: tuple[float, ...]
    goal: Goal | None = None
    point: Point | None = None

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
        table: what people see instead of a line for each figure; empty for such lines.
    """

    scenario: str
    title: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    table: str = ""


def render_table(result: Result) -> str:
    """A result as text, one figure a line: median, lowest and highest sample, number of samples, goal."""
    lines = [f"{result.scenario}: {result.title}"]
    lines += [f"  {line}".rstrip() for line in result.table.splitlines()] or _figure_lines(result)
    lines += [f"  note: {note}" for note in result.notes]
    return "\n".join(lines)


def _figure_lines(result: Result) -> list[str]:
    header = ("", "median", "low", "high", "n", "unit", "goal")
    rows: list[tuple[str, ...]] = [header, *map(_row, result.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in (0, 5, 6) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def to_json(results: Sequence[Result], conditions: Mapping[str, str]) -> str:
    """All results and the conditions they were measured under, as one JSON object."""
    document = {
        "conditions": dict(conditions),
        "results": [
            {
                "scenario": result.scenario,
                "title": result.title,
                "notes": list(result.notes),
                "figures": [_figure_object(figure) for figure in result.figures],
            }
            for result in results
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _row(figure: Figure) -> tuple[str, ...]:
    goal = ""
    if figure.goal is not None:
        verdict = "met" if figure.is_goal_met else "MISSED"
        goal = f"{figure.goal.relation} {figure.goal.limit:g}: {verdict}"
    low, high = min(figure.samples), max(figure.samples)
    numbers = [_number(value) for value in (figure.median, low, high)]
    return (figure.name, *numbers, str(len(figure.samples)), figure.unit, goal)


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"


def _figure_object(figure: Figure) -> dict[str, object]:
    return {
        "name": figure.name,
        "unit": figure.unit,
        "median": figure.median,
        "samples": list(figure.samples),
        "goal": None if figure.goal is None else {"relation": figure.goal.relation, "limit": figure.goal.limit},
        "goal_met": figure.is_goal_met,
        "point": None if figure.point is None else dataclasses.asdict(figure.point),
    }
