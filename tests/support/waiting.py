"""Waits for what a running server says about itself."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

import requests

from tests.support.server import PATIENCE_S, NotSeen, Server

if TYPE_CHECKING:
    from collections.abc import Callable

# Between two questions.
_POLL_S = 0.005


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    """Ask until ``condition`` is true; ``what`` says in a failure's message what was waited for."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise NotSeen(f"not seen: {what}")
        threading.Event().wait(_POLL_S)


def wait_for_load(server: Server, *, processing: int = 0, deferred: int = 0, key: str = "none") -> None:
    """Wait until so many requests run, and so many wait for a slot.

    Args:
        server: one with ``--metrics``.
        processing: how many run.
        deferred: how many wait.
        key: an API key, if the server wants one.
    """
    wanted = (processing, deferred)
    wait_until(f"{processing} running and {deferred} waiting", lambda: _load(server, key) == wanted)


def _load(server: Server, key: str) -> tuple[int, int]:
    headers = {"Authorization": f"Bearer {key}"}
    text = requests.get(f"{server.rest_url}/metrics", headers=headers, timeout=PATIENCE_S).text
    running, waiting = (
        re.search(rf"^llamacpp:requests_{name} (\d+)", text, re.MULTILINE) for name in ("processing", "deferred")
    )
    assert running, text
    assert waiting, text
    return int(running[1]), int(waiting[1])
