"""Pictures in a directory of the user, which requests name by ``file://`` URLs."""

from __future__ import annotations

from urllib.parse import unquote

from rest_adapter.files.inside import LeadsOut, open_inside


class Unreadable(Exception):
    """A file cannot be had; the text says why, to be read after its URL."""


def read_media(directory: str, path: str, max_bytes: int) -> bytes:
    """A file below a directory; blocks.

    Args:
        directory: where files may be.
        path: below the directory as a URL has it, with or without slashes in front.
        max_bytes: largest file.

    Raises:
        Unreadable: there is no such file, or it is too large. It is not told whether there is one elsewhere.
    """
    name = unquote(path).lstrip("/")
    try:
        found = open_inside(directory, name)
    except LeadsOut:
        found = None
    if found is None:
        raise Unreadable("is no file that can be read below the directory of --media-path")
    file, facts = found
    with file:
        # It may grow meanwhile.
        data = b"" if facts.st_size > max_bytes else file.read(max_bytes + 1)
    if facts.st_size > max_bytes or len(data) > max_bytes:
        raise Unreadable(f"is larger than the {max_bytes} bytes allowed")
    return data
