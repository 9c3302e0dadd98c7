"""Files that options name."""

from __future__ import annotations

from slotline.cli.options.values import InvalidValue


def read_text(name: str, path: str, max_bytes: int) -> str:
    """The text of a file in UTF-8, without a byte order mark.

    Args:
        name: of the option, for messages.
        path: of the file.
        max_bytes: most bytes that the file may have.

    Raises:
        InvalidValue: it cannot be read, is larger, or is not UTF-8.
    """
    try:
        return read_file(name, path, max_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidValue(f"{name} {path}: is not UTF-8: {error.reason} at byte {error.start}") from None


def read_file(name: str, path: str, max_bytes: int) -> bytes:
    """The bytes of a file.

    Raises:
        InvalidValue: it cannot be read, or is larger than ``max_bytes``.
    """
    try:
        return _bytes(name, path, max_bytes)
    except (OSError, ValueError) as error:
        raise InvalidValue(f"{name} {path}: cannot be read: {reason_of(error)}") from None


def read_bytes(name: str, path: str, max_bytes: int) -> bytes:
    """The same; a file that cannot be opened is refused as the llama.cpp server refuses it.

    Raises:
        InvalidValue: see ``read_file``.
    """
    try:
        return _bytes(name, path, max_bytes)
    except (OSError, ValueError):
        raise InvalidValue(f"failed to open file '{path}'") from None


def _bytes(name: str, path: str, max_bytes: int) -> bytes:
    with open(path, "rb") as file:
        # No more than this: it may be a device that never ends.
        raw = file.read(max_bytes + 1)
    if len(raw) > max_bytes:
        raise InvalidValue(f"{name} {path}: is larger than the {max_bytes} bytes allowed")
    return raw


def reason_of(error: Exception) -> str:
    """Why a file cannot be used, without its name."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
