"""Hops of many requests as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.harness.stats import median, percentile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.harness.tracing.hops import Hop, Passage

#: The last two as medians, for hops that begin and end in one thread.
_COLUMNS = ("median", "p90", "share", "CPU", "ready")

#: What the columns of a table mean.
LEGEND = (
    "CPU, ready: of a hop in one thread, how long the thread ran, and how long it was ready but had no processor; in "
    "the rest it waited for others, for example for the GIL"
)


def shares(requests: Sequence[Sequence[Passage]]) -> list[float]:
    """Mean share of each hop in the whole of its request; their sum is 1."""
    rows = [[one.wall_ms / sum(passage.wall_ms for passage in passages) for one in passages] for passages in requests]
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def render_hops(hops: Sequence[Hop], measured: Mapping[str, Sequence[Sequence[Passage]]]) -> list[str]:
    """Lines of a table: a hop each, with the figures of each way of asking beside each other.

    Args:
        hops: the way.
        measured: by the way of asking, what each request took on each hop.
    """
    columns = [_columns(requests) for requests in measured.values()]
    rows = [[hop.name, *(cell for column in columns for cell in column[number])] for number, hop in enumerate(hops)]
    rows.append(["the whole", *(cell for column in columns for cell in column[-1])])
    titles = [""]
    for name, requests in measured.items():
        titles += [f"{name} (n={len(requests)}):", *[""] * (len(_COLUMNS) - 1)]
    header = ["", *(name for _ in measured for name in _COLUMNS)]
    widths = [max(len(row[index]) for row in (header, *rows)) for index in range(len(header))]
    lines = []
    for row in (titles, header, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [
            cell.ljust(width) if row is titles else cell.rjust(width)
            for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _columns(requests: Sequence[Sequence[Passage]]) -> list[tuple[str, ...]]:
    """The cells of each hop, and of the whole."""
    found: list[tuple[str, ...]] = []
    for column, share in zip(zip(*requests, strict=True), shares(requests), strict=True):
        walls = [passage.wall_ms for passage in column]
        cells = (f"{median(walls):.3f}", f"{percentile(walls, 90):.3f}", f"{100 * share:.1f} %")
        found.append((*cells, _cell([one.cpu_ms for one in column]), _cell([one.ready_ms for one in column])))
    wholes = [sum(passage.wall_ms for passage in passages) for passages in requests]
    found.append((f"{median(wholes):.3f}", f"{percentile(wholes, 90):.3f}", "100.0 %", "", ""))
    return found


def _cell(values: Sequence[float | None]) -> str:
    """The median of what one thread took; empty where threads change."""
    known = [value for value in values if value is not None]
    return f"{median(known):.3f}" if len(known) == len(values) else ""
