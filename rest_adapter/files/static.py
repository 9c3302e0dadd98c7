"""The files of a directory of the user, which take precedence over every GET route.

Hidden files are not served, nor what is behind a symbolic link that leads out of the directory: they may hold what was
not meant to be published.
"""

from __future__ import annotations

import logging
import os
import stat
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zlib import crc32

from flask import Response, request, send_file
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from rest_adapter.files.content_types import content_type_of

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)

_INDEX = "index.html"
#: Flags for folders on the way to a file, which are never listed.
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
#: Flags for the file. Non-blocking, in case a pipe has replaced it meanwhile.
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


def static_response(directory: str, path: str) -> Response | None:
    """The answer with the file at a path below a directory, or None if there is none."""
    name = path.lstrip("/")
    if not name or name.endswith("/"):
        name += _INDEX
    found = _find(directory, name)
    if found is None:
        return None
    file, facts = found
    kind = content_type_of(name)
    tag = f"{facts.st_mtime}-{facts.st_size}-{crc32(name.encode(errors='replace'))}"
    response = send_file(
        file, mimetype=kind, download_name=os.path.basename(name), last_modified=facts.st_mtime, etag=tag
    )
    # Flask adds a charset; the API has never had one for files.
    response.headers["Content-Type"] = kind
    response.content_length = facts.st_size
    response.call_on_close(file.close)
    try:
        response.make_conditional(request, accept_ranges=True, complete_length=facts.st_size)
    except RequestedRangeNotSatisfiable:
        file.close()
        raise
    return response


def _find(directory: str, name: str) -> tuple[BinaryIO, os.stat_result] | None:
    """The open file of a name, and its status."""
    root = os.path.realpath(directory)
    path = os.path.join(root, name)
    # ``isfile`` raises no errors: it is false for names that are too long or hold a zero byte, too.
    if _is_hidden(name.split("/")) or not os.path.isfile(path):
        return None
    place = Path(os.path.realpath(path))
    if not place.is_relative_to(root):
        _warn_of_links(directory)
        return None
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


@cache
def _warn_of_links(directory: str) -> None:
    """Warn once that files are missing on purpose."""
    logger.warning("--path: links that lead out of the directory are not followed", extra={"directory": directory})
