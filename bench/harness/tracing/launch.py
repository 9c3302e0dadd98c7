"""``python -m bench.harness.tracing.launch PROCESS DIRECTORY COMMAND ...``: a command of ``slotline`` with marks.

``PROCESS`` is ``adapter`` for ``serve``, which starts its core through this module, too, as ``core``. Each writes its
marks into the directory when it ends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from bench.harness.errors import BenchError
from bench.harness.tracing.points import POINTS
from bench.harness.tracing.recorder import Recorder
from slotline.cli.main import main
from slotline.cli.serve import serve

_PROJECT = Path(__file__).parents[3]


def launch(process: str, directory: Path, arguments: list[str]) -> int:
    """Run a command until it ends, then write its marks; returns its exit status."""
    recorder = Recorder()
    try:
        for point in POINTS[process]:
            recorder.wrap(point)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if process == "adapter":
        _trace_core(directory)
    try:
        return main(arguments)
    finally:
        recorder.write(directory / f"{process}.json")


def _trace_core(directory: Path) -> None:
    """Have ``slotline serve`` start its core with marks; all else of the command line stays."""
    product: Any = serve
    make_command = product.core_command
    # The core is started without its working directory on the path.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_PROJECT), os.environ.get("PYTHONPATH"))))

    def traced_command(*args: Any) -> list[str]:
        command: list[str] = make_command(*args)
        place = command.index("slotline.cli")
        return [*command[:place], __spec__.name, "core", str(directory), *command[place + 1 :]]

    product.core_command = traced_command


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
