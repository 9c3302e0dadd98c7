"""``python -m bench report FILE ...``: what runs have written to ``bench.json``, as Markdown."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError
from bench.harness.report import Result, read_json
from bench.harness.tables import render_misses, render_result

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(command_line: Sequence[str]) -> int:
    """Print conditions, every scenario and the list of missed goals; exit code 1 if a file cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m bench report", description="Print the figures of runs as Markdown; missed goals are bold."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="bench.json of a run")
    results: list[Result] = []
    try:
        for file in parser.parse_args(command_line).files:
            found, conditions = read_json(file)
            results += found
            print("\n".join(f"- {name}: {fact}" for name, fact in conditions.items()), end="\n\n")
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for result in results:
        print(render_result(result), end="\n\n")
    print(render_misses(results))
    return 0
