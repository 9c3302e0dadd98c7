"""How simulations are shown: one column per variant, beside its ratios to the first one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.simulation.figures import Figures


@dataclass(frozen=True, slots=True)
class Variant:
    """One simulation of several.

    Attributes:
        name: what distinguishes it.
        figures: what it came to.
    """

    name: str
    figures: Figures


def render_table(variants: Sequence[Variant]) -> str:
    """All figures of the variants; ``x`` columns are ratios to the first variant."""
    first, *others = variants
    header = ["", first.name]
    for variant in others:
        header += [variant.name, "x"]
    rows = [header]
    for name in dict.fromkeys(name for variant in variants for name in variant.figures):
        base = first.figures.get(name)
        row = [name, _number(base)]
        for variant in others:
            value = variant.figures.get(name)
            row += [_number(value), _ratio(value, base)]
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    )


def to_json(variants: Sequence[Variant], conditions: Mapping[str, object]) -> str:
    """All figures, and what they hold for."""
    found = [{"name": variant.name, "figures": variant.figures} for variant in variants]
    return json.dumps({"conditions": dict(conditions), "variants": found}, indent=2) + "\n"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"


def _ratio(value: float | None, base: float | None) -> str:
    return f"{value / base:.2f}" if value is not None and base else "-"
