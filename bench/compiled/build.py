"""A copy of the sources in which mypyc has compiled the engine and the sampler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.compiled.rewriting import rewrite
from bench.harness.errors import BenchError

_PROJECT = Path(__file__).parents[2]
_COPIED = ("service", "slotline", "clients/python/src")
_COMPILED = ("service/engine", "service/sampling")
#: Modules that stay interpreted: no decoding step runs them, or ``dataclasses`` works on their classes.
_LEFT_OUT = (
    "service/engine/request/requests.py",
    "service/engine/request/snapshots.py",
    "service/engine/statistics/distributions.py",
    "service/engine/cache/dump.py",
    "service/engine/encoder_engine.py",
    "service/engine/schedule/encoding.py",
    "service/engine/thread.py",
    "service/sampling/settings.py",
    "service/sampling/gbnf/",
)
#: A dataclass of which the engine makes changed copies.
_KEPT = frozenset(("Finished",))
_SETUP = """
from mypyc.build import mypycify
from setuptools import setup

modules = mypycify(["--config-file=mypy.toml", *{modules!r}], opt_level="2", debug_level="0", multi_file=True)
setup(name="compiled", packages=[], ext_modules=modules)
"""


def copy(folder: Path) -> None:
    """Copy all that a worker imports of this project into ``folder``."""
    for name in _COPIED:
        shutil.copytree(_PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(_PROJECT / "bench", folder / "bench", ignore=shutil.ignore_patterns("__pycache__"))


def compile_copy(folder: Path) -> float:
    """Copy, and compile the copy's modules in place.

    Returns:
        Processor time that it took, in seconds.

    Raises:
        BenchError: mypyc or the C compiler refused; the end of what they said is quoted.
    """
    copy(folder)
    # Under this name setuptools does not take it for its own.
    shutil.copy(_PROJECT / "pyproject.toml", folder / "mypy.toml")
    modules = _modules(folder)
    for name in modules:
        path = folder / name
        path.write_text(rewrite(path.read_text(), _KEPT))
    (folder / "setup.py").write_text(_SETUP.format(modules=modules))
    before_s = _children_s()
    command = [sys.executable, "setup.py", "build_ext", "--inplace", "--parallel", "2"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n  ".join((done.stdout + done.stderr).splitlines()[-15:])
        raise BenchError(f"the modules cannot be compiled any more:\n  {tail}")
    return _children_s() - before_s


def _modules(folder: Path) -> list[str]:
    paths = (path for name in _COMPILED for path in (folder / name).rglob("*.py") if path.name != "__init__.py")
    names = sorted(str(path.relative_to(folder)) for path in paths)
    return [name for name in names if not name.startswith(_LEFT_OUT)]


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system
