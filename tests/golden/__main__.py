"""Runs the recorded cases against a running server: ``python -m tests.golden --url http://127.0.0.1:8080``.

Prints a table of case, agreement and reason; the exit status is 1 if a case disagrees, 2 if the server does not answer.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from tests.golden.report import OPTIONS, RECORDED, ask, recorded_cases, rows, table

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_URL = "http://127.0.0.1:8080"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.golden",
        description="Compares a running server with recorded answers of llama.cpp's server of February 2024.",
        epilog=f"Start the server with the default model and: {' '.join(OPTIONS)}",
    )
    parser.add_argument(
        "--url", default="http://127.0.0.1:8080", help="where the server listens (default: %(default)s)"
    )
    parser.add_argument("--cases", type=Path, default=RECORDED, help="file with the cases (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        results = rows(recorded_cases(options.cases), partial(ask, options.url.rstrip("/")))
    except requests.RequestException as error:
        print(f"error: {options.url} does not answer: {error}", file=sys.stderr)
        return 2
    print(table(results))
    return 0 if all(row.agrees for row in results) else 1


if __name__ == "__main__":
    sys.exit(main())
