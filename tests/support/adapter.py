"""A REST adapter in a thread of its own, so that tests can talk to it with ordinary blocking clients."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import gevent
import requests

from rest_adapter.rest_server import RestServer

if TYPE_CHECKING:
    from rest_adapter.config import RestConfig

WAIT_S = 20.0


class AdapterThread:
    """Runs a ``RestServer`` on a free port of its host.

    Args:
        config: settings; the port is replaced.
    """

    def __init__(self, config: RestConfig) -> None:
        self._config = replace(config, port=0)
        self._is_listening = threading.Event()
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="adapter", daemon=True)
        self._thread.start()
        assert self._is_listening.wait(WAIT_S), "the adapter does not listen"

    @property
    def url(self) -> str:
        """Beginning of every URL, without a slash at its end."""
        host, port = self.address
        return f"http://{host}:{port}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.server.address

    def begin_stop(self, timeout_s: float) -> None:
        """Start to drain, and return at once."""
        self._hub.loop.run_callback_threadsafe(lambda: gevent.spawn(self._stop, timeout_s))

    def wait_until_stopped(self) -> None:
        """Wait for the end of a drain."""
        assert self._is_stopped.wait(WAIT_S), "the adapter does not stop"
        self._thread.join()

    def close(self) -> None:
        """Stop without waiting for running requests. Idempotent."""
        if self._thread.is_alive():
            self.begin_stop(0.0)
            self.wait_until_stopped()

    def _serve(self) -> None:
        self._hub = gevent.get_hub()
        self.server = RestServer(self._config)
        self.server.start()
        self._is_listening.set()
        self.server.join()
        self._hub.destroy(destroy_loop=True)

    def _stop(self, timeout_s: float) -> None:
        self.server.stop(timeout_s)
        self._is_stopped.set()


def post(adapter: AdapterThread, path: str, **body: object) -> requests.Response:
    """The answer to a body of these fields."""
    return requests.post(adapter.url + path, json=body, timeout=WAIT_S)
