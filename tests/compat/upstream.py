"""The tests of llama.cpp's server, unpacked from the source package of llama-cpp-python that ``requirements`` locks."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent.parent
LOCK = ROOT / "requirements/lock.txt"
PACKAGE = "llama-cpp-python"

#: What the tests need of llama.cpp: themselves, chat templates, a picture.
_WANTED = ("tools/server/tests", "models/templates", "tools/mtmd/test-1.jpeg")
_VENDORED = "vendor/llama.cpp"
_LOCKED = re.compile(rf"^{PACKAGE}==\S+(?: \\\n    --hash=\S+)+", re.MULTILINE)


class UpstreamError(Exception):
    """The tests cannot be had; the text says why."""


def unpacked_tests(folder: Path) -> Path:
    """The folder of the tests, ``tools/server/tests``, unpacked under ``folder`` if it is not there yet.

    Raises:
        UpstreamError: the lock does not name the package, or pip cannot bring it.
    """
    requirement = locked_requirement(LOCK.read_text())
    version = requirement.split("==")[1].split()[0]
    sources = folder / f"llama.cpp-of-{PACKAGE}-{version}"
    if not sources.exists():
        archive = _download(requirement, folder / "download")
        _unpack(archive, sources)
    return sources / "tools/server/tests"


def locked_requirement(lock: str) -> str:
    """The package with its version and hashes, as pip reads it.

    Raises:
        UpstreamError: it is not in the lock.
    """
    found = _LOCKED.search(lock)
    if found is None:
        raise UpstreamError(f"{LOCK.name} does not name {PACKAGE} with its hashes")
    return found.group()


def _download(requirement: str, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wanted = folder / "requirement.txt"
    wanted.write_text(requirement + "\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--no-build-isolation"]
    done = subprocess.run([*pip, "--no-binary", PACKAGE, "--dest", str(folder), "-r", str(wanted)])
    archives = list(folder.glob("*.tar.gz"))
    if done.returncode != 0 or len(archives) != 1:
        raise UpstreamError(f"pip cannot bring the source package of {PACKAGE}")
    return archives[0]


def _unpack(archive: Path, sources: Path) -> None:
    """Unpack what is wanted; ``sources`` is there only if all of it is."""
    unfinished = sources.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    with tarfile.open(archive) as members:
        for member in members:
            inside = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if not inside.is_relative_to(_VENDORED):
                continue
            path = inside.relative_to(_VENDORED)
            if any(path.is_relative_to(wanted) for wanted in _WANTED):
                member.name = str(path)
                members.extract(member, unfinished, filter="data")
    unfinished.rename(sources)
