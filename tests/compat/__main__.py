"""Runs the tests of llama.cpp's server, and compares what became of them with what is written down: ``make compat``.

The exit status is 1 if something is not as ``tests/compat/outcomes.json`` and ``docs/compat.md`` say, and 2 if the
tests cannot be run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError
from bench.harness.servers import find_peers
from tests.compat import launcher
from tests.compat.models import write_models
from tests.compat.page import PAGE, page, passes_only_theirs
from tests.compat.record import OURS, THEIRS, Record, differences, read_record, updated, write_record
from tests.compat.remarks import read_remarks
from tests.compat.run import Outcome, run
from tests.compat.upstream import ROOT, UpstreamError, unpacked_tests

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Sources, models and logs; ignored by git.
FOLDER = ROOT / ".compat"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, compare or write, and print; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        found = _run(options.server, options.files)
    except (UpstreamError, BenchError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    record, remarks = read_record(), read_remarks()
    after: Record = {**record, options.server: updated(record[options.server], found, options.files)}
    if options.rewrite:
        write_record(after)
        PAGE.write_text(page(after, remarks))
        print(f"wrote {PAGE.relative_to(ROOT)}")
        return 0
    wrong = differences(record[options.server], after[options.server])
    if page(record, remarks) != PAGE.read_text():
        wrong.append(f"{PAGE.relative_to(ROOT)} is not what tests/compat says; run it with --rewrite")
    for line in wrong:
        print(line)
    _print_totals(found)
    print(f"only llama-server passes: {len(passes_only_theirs(after, remarks))}; log: {FOLDER / 'tests.log'}")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make compat ARGS=...", description="Runs llama.cpp's own tests of a server.")
    parser.add_argument("files", nargs="*", help="files of tests, test_basic.py for example (default: all)")
    parser.add_argument("--server", choices=(OURS, THEIRS), default=OURS, help="what is tested (default: %(default)s)")
    parser.add_argument("--rewrite", action="store_true", help="write down what happens now instead of comparing")
    return parser


def _run(server: str, files: Sequence[str]) -> dict[str, Outcome]:
    program = launcher.SLOTLINE
    if server == THEIRS:
        program = str(find_peers(ROOT / ".venv-bench/bin/python").server)
    FOLDER.mkdir(exist_ok=True)
    tests = unpacked_tests(FOLDER)
    shutil.rmtree(FOLDER / "models", ignore_errors=True)
    write_models(FOLDER / "models")
    return run(tests, FOLDER, program, files)


def _print_totals(found: dict[str, Outcome]) -> None:
    words = [outcome.outcome for outcome in found.values()]
    print(", ".join(f"{words.count(word)} {word}" for word in ("passed", "failed", "skipped")))


if __name__ == "__main__":
    sys.exit(main())
