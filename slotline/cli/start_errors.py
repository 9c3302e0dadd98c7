"""Why a server cannot be started."""

from __future__ import annotations


class StartError(Exception):
    """A server cannot be started; the text is one line that says why and what to do."""


class BindError(Exception):
    """REST cannot listen; the text is the one that the llama.cpp server prints between empty lines.

    Attributes:
        advice: one line that says why and what to do.
    """

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"couldn't bind to server socket: hostname={host} port={port}")
        self.advice = f"error: {reason}; choose another --host or --port, or --port 0 for a free one"
