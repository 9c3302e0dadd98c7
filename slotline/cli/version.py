"""Versions of Slotline and of what it runs on."""

from __future__ import annotations

import platform
from importlib import metadata


def slotline_version() -> str:
    """The installed version."""
    return _version("slotline") or "(source tree, not installed)"


def version_text() -> str:
    """The version with those of the parts that matter in a bug report."""
    libraries = ("llama-cpp-python", "grpcio", "gevent", "Flask")
    parts = [("Python", platform.python_version())]
    parts += [(name, _version(name) or "not installed") for name in libraries]
    return f"slotline {slotline_version()}\n" + "".join(f"  {name} {version}\n" for name, version in parts)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
