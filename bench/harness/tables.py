"""Results as Markdown: the same tables in the terminal and in docs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.harness.report import Figure, Result


def render_result(result: Result) -> str:
    """One scenario: a heading, its title, its tables, notes and failures. A figure that misses its goal is bold."""
    parts = [f"## {result.scenario}", *([result.title] if result.title else [])]
    parts += [f"```\n{result.table}\n```"] if result.table else _tables(result.figures)
    parts += [f"Note: {note}" for note in result.notes]
    parts += [f"**FAILED**: {failure}" for failure in result.failures]
    return "\n\n".join(parts)


def render_misses(results: Iterable[Result]) -> str:
    """Every figure that misses its goal, as a list; a sentence if none does, or if there are no goals."""
    lines = [
        f"- {result.scenario}: {figure.name}: **{_number(figure.median)}** {figure.unit}".rstrip() + f" ({figure.goal})"
        for result in results
        for figure in result.figures
        if figure.is_goal_met is False
    ]
    n_goals = sum(figure.goal is not None for result in results for figure in result.figures)
    if not n_goals:
        return "There are no goals for these figures."
    if not lines:
        return f"All {n_goals} goals are met."
    return "\n".join([f"{len(lines)} of {n_goals} goals are missed:", "", *lines])


def _tables(figures: Sequence[Figure]) -> list[str]:
    compared = [figure for figure in figures if figure.column]
    others = [figure for figure in figures if not figure.column]
    return [render(some) for render, some in ((_comparison, compared), (_listing, others)) if some]


def _comparison(figures: Sequence[Figure]) -> str:
    """A row for each quantity; medians of every server, and ratios with the lowest and the highest of a pair.

    Where some ratios have goals, the others are left out: the table would not fit anywhere.
    """
    ratios = [figure for figure in figures if figure.against]
    judged = [figure for figure in ratios if figure.goal is not None]
    columns = [
        *dict.fromkeys(figure.heading for figure in figures if not figure.against),
        *dict.fromkeys(figure.heading for figure in judged or ratios),
    ]
    rows = []
    for name, unit in _rows_of(figures).items():
        cells = {figure.heading: _cell(figure) for figure in figures if figure.row == name}
        label = f"{name}, {unit}" if unit else name
        goals = _goals([figure for figure in figures if figure.row == name])
        rows.append([label, *(cells.get(column, "") for column in columns), goals])
    return _markdown(["", *columns, "goal"], rows)


def _rows_of(figures: Sequence[Figure]) -> dict[str, str]:
    """The names of the rows in their order, and the unit of what is not a ratio in each."""
    units: dict[str, str] = {}
    for figure in figures:
        if not units.get(figure.row):
            units[figure.row] = "" if figure.against else figure.unit
    return units


def _listing(figures: Sequence[Figure]) -> str:
    rows = [
        [
            figure.row,
            _bold(_number(figure.median), figure),
            _number(min(figure.samples)),
            _number(max(figure.samples)),
            str(len(figure.samples)),
            figure.unit,
            "" if figure.goal is None else str(figure.goal),
        ]
        for figure in figures
    ]
    return _markdown(["", "median", "low", "high", "n", "unit", "goal"], rows)


def _cell(figure: Figure) -> str:
    text = _bold(_number(figure.median), figure)
    if not figure.against or len(figure.samples) == 1:
        return text
    return f"{text} ({_number(min(figure.samples))} to {_number(max(figure.samples))})"


def _goals(figures: Sequence[Figure]) -> str:
    """The goals of a row, each once."""
    goals = [f"ratio {figure.goal}" if figure.against else str(figure.goal) for figure in figures if figure.goal]
    return "; ".join(dict.fromkeys(goals))


def _bold(text: str, figure: Figure) -> str:
    return f"**{text}**" if figure.is_goal_met is False else text


def _number(value: float) -> str:
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are aligned in plain text, too."""
    widths = [max(3, *(len(row[column]) for row in [header, *rows])) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [header, *rows]
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
