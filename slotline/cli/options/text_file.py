"""Text files that options name."""

from __future__ import annotations

from slotline.cli.options.values import InvalidValue


def read_text(name: str, path: str, max_bytes: int) -> str:
    """The text of a file in UTF-8, without a byte order mark.

    Args:
        name: of the option, for messages.
        path: of the file.
        max_bytes: a device that never ends must not be read for ever.

    Raises:
        InvalidValue: it cannot be read, is larger, or is not UTF-8.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise InvalidValue(f"{name} {path}: cannot be read: {reason_of(error)}") from None
    if len(raw) > max_bytes:
        raise InvalidValue(f"{name} {path}: is larger than the {max_bytes} bytes allowed")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidValue(f"{name} {path}: is not UTF-8: {error.reason} at byte {error.start}") from None


def reason_of(error: Exception) -> str:
    """Why a file cannot be used, without its name."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
