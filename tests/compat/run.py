"""Runs the tests of llama.cpp's server against one server, in a process of their own."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.compat import launcher, plugin
from tests.compat.upstream import ROOT, UpstreamError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: A test that takes longer has failed, in seconds. Theirs start several servers.
_LIMIT_S = 120
#: How pytest ends that has run tests, whatever became of them.
_RAN = (0, 1)
#: More at once only wait for each other: each starts a server.
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a test.

    Attributes:
        outcome: "passed", "failed" or "skipped".
        line: of its file, where it failed; None if it passed, or failed elsewhere.
        error: what it failed with, "AssertionError" for example; None if it passed.
    """

    outcome: str
    line: int | None = None
    error: str | None = None


def run(tests: Path, folder: Path, server: str, which: Sequence[str]) -> dict[str, Outcome]:
    """Run tests; returns what became of each, by its file and name.

    Args:
        tests: folder of the tests, as ``upstream.unpacked_tests`` returns it.
        folder: where models are, in its folder "models", and logs go.
        server: see ``launcher.command``.
        which: files or tests of ``tests/unit``, "test_basic.py" for example; all of them if there is none.
    """
    outcomes = folder / "outcomes.jsonl"
    outcomes.write_text("")
    only_ours = {plugin.ONLY_OURS: "1"} if server == launcher.SLOTLINE else {}
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "LLAMA_SERVER_BIN_PATH": str(_program(folder, server)),
        plugin.MODELS: str(folder / "models"),
        plugin.OUTCOMES: str(outcomes),
        # Plugins that are installed for other tests only take time.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        **only_ours,
    }
    pytest = [sys.executable, "-m", "pytest", "--noconftest", "-m", "not slow", "-q", "-p", "no:cacheprovider"]
    pytest += ["-p", "tests.compat.plugin", "-p", "pytest_timeout", "-p", "xdist"]
    pytest += ["--timeout", str(_LIMIT_S), "-n", str(_AT_ONCE)]
    paths = [f"unit/{name}" for name in which] or ["unit"]
    with (folder / "tests.log").open("w") as log:
        done = subprocess.run([*pytest, *paths], cwd=tests, env=environment, stdout=log, stderr=log, check=False)
    if done.returncode not in _RAN:
        raise UpstreamError(f"pytest ended with {done.returncode}; {folder / 'tests.log'} has the reason")
    return _read(outcomes)


def _program(folder: Path, server: str) -> Path:
    """An executable file that does what ``launcher`` does."""
    program = folder / "llama-server"
    words = shlex.join([sys.executable, "-m", "tests.compat.launcher", server, str(folder / "models")])
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    program.chmod(0o755)
    return program


def _read(path: Path) -> dict[str, Outcome]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    outcomes: dict[str, Outcome] = {}
    for record in records:
        name = record.pop("test")
        if name not in outcomes or record["outcome"] == "failed":
            outcomes[name] = Outcome(**record)
    return dict(sorted(outcomes.items()))
