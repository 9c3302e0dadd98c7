"""A streamed completion over REST, read while the test does other things."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any

import requests

from tests.support.server import PATIENCE_S, Server

# Long enough that nothing ends by itself while a test looks at it.
ENDLESS: dict[str, object] = {"prompt": "Once upon a time", "n_predict": 100_000, "ignore_eos": True, "stream": True}


class EventStream:
    """A streamed completion, read in a thread of its own.

    Attributes:
        events: the events so far.
    """

    def __init__(self, server: Server, **options: object) -> None:
        self.events: list[dict[str, Any]] = []
        self._begun = threading.Event()
        self._response = requests.post(
            f"{server.rest_url}/completion", json={**ENDLESS, **options}, stream=True, timeout=PATIENCE_S
        )
        assert self._response.status_code == 200, self._response.text
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def wait_for_first_event(self) -> None:
        assert self._begun.wait(PATIENCE_S)

    def wait_for_end(self) -> dict[str, Any]:
        """Wait until the server has ended the stream; the last event."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self.events[-1]

    def _read(self) -> None:
        with self._response, contextlib.suppress(requests.RequestException):
            for line in self._response.iter_lines():
                if line.startswith(b"data: "):
                    self.events.append(json.loads(line.removeprefix(b"data: ")))
                    self._begun.set()
