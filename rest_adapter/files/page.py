"""The built-in web page: the files of rest_adapter/web, each at its path."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from flask import Response, request

from rest_adapter.files.content_types import content_type_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

_INDEX = "/index.html"
#: Below this, a compressed file is hardly smaller.
_LEAST_COMPRESSED_BYTES = 1024
_HEADERS = {
    # The page shows what models write. Whatever gets past its own checks can load and run nothing.
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Browsers may keep it, but must revalidate it: another version of the server has another page.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file as it is served.

    Attributes:
        content_type: with a charset if it is text.
        content: its bytes.
        compressed: ``content`` as gzip, None if that is not worth while.
        tag: the same for equal contents, for ETag.
    """

    content_type: str
    content: bytes
    compressed: bytes | None
    tag: str


def index_response() -> Response:
    """The answer with the page itself."""
    return _response(page_files()[_INDEX])


def page_response(path: str) -> Response | None:
    """The answer with the page's file at a path, or None if there is none."""
    file = page_files().get(path)
    return None if file is None else _response(file)


@cache
def page_files() -> Mapping[str, PageFile]:
    """All files by path.

    They are read once, so that the files of a page fit together even while they are being replaced. A path outside of
    the folder is simply not a key, so that no path can escape from it.
    """
    return dict(_files(resources.files("rest_adapter").joinpath("web"), "/"))


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, PageFile]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{path}{entry.name}/")
        # Editors and systems leave hidden files in working copies.
        elif not entry.name.startswith("."):
            yield f"{path}{entry.name}", _file(entry)


def _file(entry: Traversable) -> PageFile:
    content = entry.read_bytes()
    kind = content_type_of(entry.name)
    is_text = kind.startswith("text/") or kind in ("application/json", "image/svg+xml")
    return PageFile(
        f"{kind}; charset=utf-8" if is_text else kind,
        content,
        # Without a time, so that equal files have equal bytes.
        gzip.compress(content, mtime=0) if is_text and len(content) >= _LEAST_COMPRESSED_BYTES else None,
        hashlib.sha256(content).hexdigest()[:32],
    )


def _response(file: PageFile) -> Response:
    if file.compressed is not None and _takes_gzip():
        content, tag, encoding = file.compressed, f"{file.tag}-gzip", {"Content-Encoding": "gzip"}
    else:
        content, tag, encoding = file.content, file.tag, {}
    # Passed through like other files, so that the log of bodies leaves it out.
    response = Response(content, content_type=file.content_type, headers=_HEADERS | encoding, direct_passthrough=True)
    response.set_etag(tag)
    if file.compressed is not None:
        response.vary.add("Accept-Encoding")
    response.make_conditional(request, accept_ranges=True, complete_length=len(content))
    return response


def _takes_gzip() -> bool:
    # The byte positions of a range are those of the uncompressed file.
    accepted = request.accept_encodings
    return "Range" not in request.headers and accepted.quality("gzip") > 0
