"""Writes the tables of ``docs/metrics.md`` from the declarations of the metrics, or checks that they are up to date.

Run it as ``make docs``. Everything between the tables is written by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.native.metrics.reply import LLAMA_METRICS, OWN_METRICS
from service.api.metrics.declarations import METRICS as CORE_METRICS
from service.api.metrics.metric import MetricType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/metrics.md"
_TABLE = re.compile(r"(<!-- table: ([^\n]+) -->\n).*?(<!-- end of table -->\n)", re.DOTALL)


class Described(Protocol):
    """What a row needs of a metric; the core's and the adapter's have it."""

    @property
    def name(self) -> str:
        """As the exposition has it."""

    @property
    def type(self) -> MetricType | str:
        """By Prometheus' name."""

    @property
    def unit(self) -> str:
        """Of its values."""

    @property
    def help(self) -> str:
        """What it tells, as a sentence."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its labels."""


def tables() -> dict[str, Sequence[Described]]:
    """The metrics of each table, by its name on the page."""
    kinds = {"work done": MetricType.COUNTER, "distributions": MetricType.HISTOGRAM, "state": MetricType.GAUGE}
    return {
        "as llama.cpp of 2024": LLAMA_METRICS[ApiShape.OF_2024],
        "as llama.cpp now": LLAMA_METRICS[ApiShape.NOW],
        **{name: [metric for metric in CORE_METRICS if metric.type is kind] for name, kind in kinds.items()},
        "adapter": OWN_METRICS,
    }


def with_tables(page: str, wanted: Mapping[str, Sequence[Described]]) -> str:
    """The page with its tables replaced.

    Raises:
        ValueError: a table is missing on the page, there twice, or unknown.
    """
    found = [name for _, name, _ in _TABLE.findall(page)]
    if sorted(found) != sorted(wanted):
        raise ValueError(f"the page has the tables {sorted(found)}; wanted are {sorted(wanted)}")
    return _TABLE.sub(lambda match: match[1] + _table(wanted[match[2]]) + match[3], page)


def _table(metrics: Sequence[Described]) -> str:
    has_labels = any(metric.labels for metric in metrics)
    head = ("metric", "type", "unit", *(("labels",) if has_labels else ()), "meaning")
    rows = [_row(head), "|" + "---|" * len(head) + "\n"]
    for metric in metrics:
        labels = (", ".join(f"`{label}`" for label in metric.labels),) if has_labels else ()
        kind = metric.type if isinstance(metric.type, str) else metric.type.value
        rows.append(_row((f"`{metric.name}`", kind, metric.unit, *labels, metric.help)))
    return "".join(rows)


def _row(cells: Sequence[str]) -> str:
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells) + "\n"


def main() -> int:
    """Write the page, or with ``--check`` compare. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Write the tables of docs/metrics.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is stale")
    arguments = parser.parse_args()
    written = PAGE.read_text()
    wanted = with_tables(written, tables())
    if not arguments.check:
        PAGE.write_text(wanted)
    elif wanted != written:
        print(f"error: {PAGE.relative_to(ROOT)} does not match the metrics; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
