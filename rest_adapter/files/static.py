"""The files of a directory of the user, which take precedence over every GET route; see ``inside`` for which."""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import BinaryIO
from zlib import crc32

from flask import Response, request, send_file
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from rest_adapter.files.content_types import content_type_of
from rest_adapter.files.inside import LeadsOut, open_inside

logger = logging.getLogger(__name__)

_INDEX = "index.html"


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
    try:
        return open_inside(directory, name)
    except LeadsOut:
        _warn_of_links(directory)
        return None


@cache
def _warn_of_links(directory: str) -> None:
    """Warn once that files are missing on purpose."""
    logger.warning("--path: links that lead out of the directory are not followed", extra={"directory": directory})
