"""The files of a directory of the user's, which come before every GET route."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Response, send_file
from werkzeug.security import safe_join

from rest_adapter.routes.content_types import content_type_of

_INDEX = "index.html"


def static_response(directory: str, path: str) -> Response | None:
    """The file that a path names below a directory, or None if there is none."""
    name = path.lstrip("/")
    if not name or name.endswith("/"):
        name += _INDEX
    # Absolute, because Flask takes relative paths as relative to its own package.
    file = safe_join(str(Path(directory).absolute()), name)
    # Unlike ``Path.is_file``, this knows no errors: for a name that is too long there is no file, either.
    if file is None or not os.path.isfile(file):
        return None
    kind = content_type_of(file)
    response = send_file(file, mimetype=kind, conditional=True)
    # Flask adds a charset, which the API never had for files.
    response.headers["Content-Type"] = kind
    return response
