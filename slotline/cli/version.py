"""Versions of Slotline and of what it runs on."""

from __future__ import annotations

import platform

from rest_adapter.version import slotline_version, version_of


def version_text() -> str:
    """The version with those of the parts that matter in a bug report."""
    libraries = ("llama-cpp-python", "grpcio", "gevent", "Flask")
    parts = [("Python", platform.python_version())]
    parts += [(name, version_of(name) or "not installed") for name in libraries]
    return f"slotline {slotline_version()}\n" + "".join(f"  {name} {version}\n" for name, version in parts)
