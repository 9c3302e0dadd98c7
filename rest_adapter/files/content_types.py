"""Content types of files, by the ends of their names."""

from __future__ import annotations

from pathlib import PurePosixPath

#: A table of our own, because the system's differs between machines and has types such as chemical/x-xyz.
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


def content_type_of(name: str) -> str:
    """The content type of a file, without a charset."""
    return _TYPES.get(PurePosixPath(name).suffix.removeprefix(".").lower(), _DEFAULT_TYPE)
