"""Files below a directory, by names that strangers send.

Hidden files are not opened, nor what is behind a symbolic link that leads out of the directory: they may hold what was
not meant to be published.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Flags for folders on the way to a file, which are never listed.
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Flags for the file. Non-blocking, in case a pipe has replaced it meanwhile.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


class LeadsOut(Exception):
    """A link leads out of the directory."""


def open_inside(directory: str, name: str) -> tuple[BinaryIO, os.stat_result] | None:
    """The open file of a name below a directory, and its status; None if there is none that may be read.

    Args:
        directory: where the file is to be.
        name: its path there, without a slash in front.

    Raises:
        LeadsOut: the file is elsewhere.
    """
    root = os.path.realpath(directory)
    path = os.path.join(root, name)
    # ``isfile`` raises no errors: it is false for names that are too long or hold a zero byte, too.
    if _is_hidden(name.split("/")) or not os.path.isfile(path):
        return None
    place = Path(os.path.realpath(path))
    if not place.is_relative_to(root):
        raise LeadsOut
    parts = place.relative_to(root).parts
    if _is_hidden(parts):
        return None
    try:
        file = _open(root, parts)
    except OSError:
        # It has just been removed, or we may not read it.
        return None
    facts = os.fstat(file.fileno())
    if not stat.S_ISREG(facts.st_mode):
        file.close()
        return None
    return file, facts


def _is_hidden(parts: Sequence[str]) -> bool:
    return any(part.startswith(".") for part in parts)


def _open(root: str, parts: Sequence[str]) -> BinaryIO:
    """Open a file by a path without links. A link that was put there meanwhile is not followed.

    Raises:
        OSError: there is no such file, or it may not be read.
    """
    folder = os.open(root, _FOLDER)
    try:
        for part in parts[:-1]:
            outer, folder = folder, os.open(part, _FOLDER, dir_fd=folder)
            os.close(outer)
        return os.fdopen(os.open(parts[-1], _FILE, dir_fd=folder), "rb")
    finally:
        os.close(folder)
