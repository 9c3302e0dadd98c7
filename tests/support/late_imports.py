"""``slotline`` that tells what is imported after SIGUSR1: ``python -m tests.support.late_imports core ...``.

One line on stderr for each module that anybody looks for: ``late import NAME in thread THREAD``; ``watching imports``
answers the signal. What is found in ``sys.modules`` is not looked for.
"""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING

from slotline.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class Witness:
    """A finder that finds nothing and tells what it was asked for."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Tell of a search for a module."""
        print(f"late import {name} in thread {threading.current_thread().name}", file=sys.stderr, flush=True)
        return None


def watch(*_: object) -> None:
    """Tell of all imports from now on."""
    sys.meta_path.insert(0, Witness())
    print("watching imports", file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, watch)
    sys.exit(main(sys.argv[1:]))
