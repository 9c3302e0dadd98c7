"""Draws the figures that ``python -m bench`` wrote: curves as lines, everything else as bars, a PNG per scenario.

``.venv-bench/bin/python bench/plot.py FILE.json DIR``. It runs in the environment of the peers, the only one
with matplotlib, and therefore imports nothing of this repository.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 11.0
_CURVES_HEIGHT = 3.5


def main(source: Path, directory: Path) -> None:
    """``DIR/SCENARIO.png`` for each: a panel per unit and per curve; whiskers from the lowest to the highest sample."""
    # Without a display, whatever the user's settings say.
    importlib.import_module("matplotlib").use("agg")
    plt = importlib.import_module("matplotlib.pyplot")
    for result in json.loads(source.read_text())["results"]:
        _draw(plt, result, directory / f"{result['scenario']}.png")


def _draw(plt: Any, result: dict[str, Any], image: Path) -> None:
    bars, curves = list(_bar_panels(result)), list(_curve_panels(result))
    heights = [0.9 + 0.3 * len(figures) for _, figures in bars] + [_CURVES_HEIGHT] * len(curves)
    drawing, axes = plt.subplots(
        len(heights),
        figsize=(_WIDTH, sum(heights)),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for axis, (title, figures) in zip(axes[:, 0], bars, strict=False):
        _draw_bars(axis, figures)
        axis.set_title(title, loc="left")
    for axis, (title, figures) in zip(axes[len(bars) :, 0], curves, strict=True):
        _draw_curves(axis, figures)
        axis.set_title(title, loc="left")
    drawing.savefig(image, dpi=110)
    plt.close(drawing)


def _bar_panels(result: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    bars = [figure for figure in result["figures"] if figure["point"] is None]
    for unit in dict.fromkeys(figure["unit"] for figure in bars):
        figures = [figure for figure in bars if figure["unit"] == unit]
        yield f"{result['scenario']} ({unit or 'ratio'})", figures


def _curve_panels(result: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    points = [figure for figure in result["figures"] if figure["point"] is not None]
    for plot, unit in dict.fromkeys((figure["point"]["plot"], figure["unit"]) for figure in points):
        figures = [figure for figure in points if (figure["point"]["plot"], figure["unit"]) == (plot, unit)]
        yield f"{result['scenario']}: {plot} ({unit or 'ratio'})", figures


def _draw_bars(axis: Any, figures: list[dict[str, Any]]) -> None:
    medians = [figure["median"] for figure in figures]
    axis.barh([figure["name"] for figure in figures], medians, xerr=_whiskers(figures), height=0.6, capsize=3)
    for row, figure in enumerate(figures):
        if figure["goal"] is not None:
            axis.plot([figure["goal"]["limit"]] * 2, [row - 0.4, row + 0.4], color="black")
    axis.set_xlim(left=0)
    axis.invert_yaxis()


def _draw_curves(axis: Any, figures: list[dict[str, Any]]) -> None:
    for name in dict.fromkeys(figure["point"]["line"] for figure in figures):
        line = [figure for figure in figures if figure["point"]["line"] == name]
        places = [figure["point"]["x"] for figure in line]
        axis.errorbar(
            places, [figure["median"] for figure in line], yerr=_whiskers(line), marker="o", capsize=3, label=name
        )
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    axis.legend()


def _whiskers(figures: list[dict[str, Any]]) -> list[list[float]]:
    """Distances from the medians to the lowest and the highest samples."""
    below = [figure["median"] - min(figure["samples"]) for figure in figures]
    above = [max(figure["samples"]) - figure["median"] for figure in figures]
    return [below, above]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py FILE.json DIR")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
