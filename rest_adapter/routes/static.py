"""Files: the built-in page, and a directory of the user's that comes before every GET route."""

from __future__ import annotations

import os
from functools import cache
from importlib import resources
from pathlib import Path

from flask import Response, send_file
from werkzeug.security import safe_join

from rest_adapter.routes.site import Site

_INDEX = "index.html"
# A table of our own: the system's differs from one machine to the next, and knows .xyz as chemistry.
_TYPES = {
    suffix: f"{kind}/{subtype}"
    for kind, subtypes in {
        "text": {"html": "html htm", "javascript": "js mjs", "css": "css", "csv": "csv", "plain": "txt", "vtt": "vtt"},
        "application": {
            "json": "json",
            "xml": "xml",
            "xhtml+xml": "xhtml",
            "wasm": "wasm",
            "pdf": "pdf",
            "zip": "zip",
            "gzip": "gz",
            "x-tar": "tar",
        },
        "image": {
            "png": "png",
            "jpeg": "jpg jpeg",
            "gif": "gif",
            "bmp": "bmp",
            "webp": "webp",
            "avif": "avif",
            "apng": "apng",
            "svg+xml": "svg",
            "x-icon": "ico",
            "tiff": "tif tiff",
        },
        "video": {"mp4": "mp4", "mpeg": "mpeg", "webm": "webm"},
        "audio": {"mp3": "mp3", "wave": "wav", "mpeg": "mpga", "webm": "weba"},
        "font": {"ttf": "ttf", "otf": "otf", "woff": "woff", "woff2": "woff2"},
    }.items()
    for subtype, suffixes in subtypes.items()
    for suffix in suffixes.split()
}
_DEFAULT_TYPE = "text/plain"


def page(site: Site) -> Response:
    """The built-in page."""
    return Response(_page(), content_type="text/html; charset=utf-8")


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
    kind = _TYPES.get(Path(file).suffix.removeprefix(".").lower(), _DEFAULT_TYPE)
    response = send_file(file, mimetype=kind, conditional=True)
    # Flask adds a charset, which the API never had for files.
    response.headers["Content-Type"] = kind
    return response


@cache
def _page() -> bytes:
    return resources.files("rest_adapter").joinpath("web", _INDEX).read_bytes()
