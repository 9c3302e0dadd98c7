"""The example for bug reports in CONTRIBUTING.md is a scenario that runs."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

FOLDER = Path(__file__).resolve().parent


def test_the_guide_shows_the_example_as_it_is_run() -> None:
    example = (FOLDER / "example.feature").read_text()
    assert indent(example, "    ") in (FOLDER.parent.parent / "CONTRIBUTING.md").read_text()
