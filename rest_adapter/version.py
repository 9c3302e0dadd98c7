"""The version of this software."""

from __future__ import annotations

from importlib import metadata


def slotline_version() -> str:
    """The installed version, or words that say that there is none."""
    return version_of("slotline") or "(source tree, not installed)"


def version_of(distribution: str) -> str | None:
    """The installed version of a distribution; None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
