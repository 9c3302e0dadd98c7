"""What stops a benchmark."""

from __future__ import annotations


class BenchError(Exception):
    """A benchmark cannot go on; the message says why and what to do."""


class RefusedError(BenchError):
    """A server was too busy to take a request: status 429, or RESOURCE_EXHAUSTED. Only some scenarios expect that.

    Attributes:
        retry_after_s: when to come back according to the server, None if it does not say.
    """

    def __init__(self, message: str, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
