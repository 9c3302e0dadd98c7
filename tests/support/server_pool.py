"""Servers that tests share: each is started once for all tests that want the same options."""

from __future__ import annotations

from tests.support.server import Server

#: How `make run` starts a server: four slots of 2,048 tokens.
AS_MAKE_RUNS_IT = ("-c", "8192", "-np", "4", "--embedding", "--metrics")
#: Servers that are kept running at once. A file of tests uses no more, and each takes some hundred MB.
MAX_RUNNING = 4


class ServerPool:
    """Running servers by their options.

    For tests that only send requests. One that stops the core, reads all of the log or counts from zero starts a
    ``Server`` of its own.
    """

    def __init__(self) -> None:
        #: The one that was used last comes last.
        self._servers: dict[tuple[str, ...], Server] = {}

    def get(self, *options: str) -> Server:
        """The ready server with these options of ``serve``. Good until others have been asked for more recently."""
        server = self._servers.pop(options, None)
        if server is None:
            if len(self._servers) == MAX_RUNNING:
                self._stop(next(iter(self._servers)))
            server = Server(*options).__enter__()
        self._servers[options] = server
        server.wait_until_ready()
        return server

    def close(self) -> None:
        """Stop them all."""
        for options in list(self._servers):
            self._stop(options)

    def _stop(self, options: tuple[str, ...]) -> None:
        self._servers.pop(options).__exit__(None, None, None)
