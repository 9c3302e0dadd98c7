"""Draws the figures of ``python -m bench --json FILE`` as bars.

``.venv-bench/bin/python bench/plot.py FILE.json IMAGE.png``. It runs in the environment of the peers, the only one
with matplotlib, and therefore imports nothing of this repository.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def main(source: Path, image: Path) -> None:
    """One panel per scenario and unit: a bar for the median, a whisker from the lowest to the highest sample."""
    # Without a display, whatever the user's settings say.
    importlib.import_module("matplotlib").use("agg")
    plt = importlib.import_module("matplotlib.pyplot")
    panels = list(_panels(json.loads(source.read_text())["results"]))
    heights = [len(figures) for _, figures in panels]
    drawing, axes = plt.subplots(
        len(panels),
        figsize=(10, 1.2 * len(panels) + 0.3 * sum(heights)),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for axis, (title, figures) in zip(axes[:, 0], panels, strict=True):
        medians = [figure["median"] for figure in figures]
        below = [figure["median"] - min(figure["samples"]) for figure in figures]
        above = [max(figure["samples"]) - figure["median"] for figure in figures]
        axis.barh([figure["name"] for figure in figures], medians, xerr=[below, above], height=0.6, capsize=3)
        for row, figure in enumerate(figures):
            if figure["goal"] is not None:
                axis.plot([figure["goal"]["limit"]] * 2, [row - 0.4, row + 0.4], color="black")
        axis.invert_yaxis()
        axis.set_title(title, loc="left")
    drawing.savefig(image, dpi=120)


def _panels(results: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for result in results:
        units = dict.fromkeys(figure["unit"] for figure in result["figures"])
        for unit in units:
            figures = [figure for figure in result["figures"] if figure["unit"] == unit]
            yield f"{result['scenario']} ({unit or 'ratio'})", figures


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py FILE.json IMAGE.png")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
