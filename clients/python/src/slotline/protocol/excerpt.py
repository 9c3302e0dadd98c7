"""How messages repeat what somebody else wrote: shortened, for it may be as long as a request or a file."""

from __future__ import annotations


def excerpt(text: str, most: int) -> str:
    """A text, or its first ``most`` characters and an ellipsis if it has more."""
    return text if len(text) <= most else f"{text[:most]}..."


def quoted(text: str, most: int) -> str:
    """An excerpt in quotes, with escapes for what cannot be printed."""
    return repr(excerpt(text, most))
