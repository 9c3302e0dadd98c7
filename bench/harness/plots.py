"""Has the figures drawn, in the environment that has matplotlib."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PLOT = Path(__file__).parents[1] / "plot.py"


def draw(samples: Path, directory: Path, python: Path) -> str:
    """Draw what ``to_json`` wrote; returns a line that says where the images are, or why there are none.

    Args:
        samples: the file with the figures.
        directory: gets a PNG file for each scenario.
        python: Python of an environment with matplotlib.
    """
    if not python.exists():
        return f"no plots: {python} does not exist; `make bench` creates it"
    drawn = subprocess.run([python, _PLOT, samples, directory], capture_output=True, text=True)
    if drawn.returncode != 0:
        return f"no plots: {drawn.stderr.strip().splitlines()[-1]}"
    return f"plots: {directory}/*.png"
