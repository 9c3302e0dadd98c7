"""An adapter whose calls, writes and hand-overs are counted, in front of a core in another process."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING

import flask
import gevent
import werkzeug

from rest_adapter.config import RestConfig
from tests.counts.calls import ROOT, ThreadCalls
from tests.counts.hand_overs import HandOvers
from tests.counts.lockstep_core import token
from tests.support.adapter import AdapterThread
from tests.support.http_stream import HttpConnection, post_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

#: What is counted: our own code, and that of packages which does a part of the same work.
FOLDERS = (
    "rest_adapter",
    "clients/python/src",
    *(package.__path__[0] for package in (flask, gevent, werkzeug)),
)
#: Bodies by the kind of API: where they go, and what is asked, without the number of tokens.
BODIES: dict[str, tuple[str, str, dict[str, object]]] = {
    "native": ("/completion", "n_predict", {"prompt": "Hello", "stream": True}),
    "chat": (
        "/v1/chat/completions",
        "max_tokens",
        {"messages": [{"role": "user", "content": "Hello"}], "stream": True},
    ),
    "messages": (
        "/v1/messages",
        "max_tokens",
        {"messages": [{"role": "user", "content": "Hello"}], "stream": True},
    ),
    "responses": ("/v1/responses", "max_output_tokens", {"input": "Hello", "stream": True}),
}


class CountedAdapter:
    """The adapter and its core.

    Args:
        core: the process.
        address: of the core.
        hand_overs, calls: what counts; both were there before.
    """

    def __init__(self, core: subprocess.Popen[str], address: str, hand_overs: HandOvers, calls: ThreadCalls) -> None:
        self.hand_overs = hand_overs
        self.calls = calls
        self._core = core
        self._adapter = AdapterThread(RestConfig(core=address))

    def close(self) -> None:
        """Stop the adapter."""
        self._adapter.close()

    def connect(self) -> HttpConnection:
        """A connection."""
        return HttpConnection(self._adapter.address)

    def allow_step(self) -> None:
        """Let every stream get its next token."""
        assert self._core.stdin is not None
        self._core.stdin.write("\n")
        self._core.stdin.flush()


class Stream:
    """A streamed answer.

    Args:
        connection: where it comes; nothing else was asked there.
        kind: one of ``BODIES``.
        n_tokens: how many it may have; with 1 it does not wait for a step.
    """

    def __init__(self, connection: HttpConnection, kind: str, n_tokens: int) -> None:
        path, field, body = BODIES[kind]
        connection.socket.sendall(post_bytes(path, **body, **{field: n_tokens}))
        self._chunks = self._read(connection)

    def read_token(self, number: int) -> None:
        """Read as far as a token."""
        text = token(number).encode()
        assert any(text in chunk for chunk in self._chunks)

    def read_all(self) -> None:
        """Read to the end."""
        assert list(self._chunks)

    @staticmethod
    def _read(connection: HttpConnection) -> Iterator[bytes]:
        # The head may come with the first token.
        status, _ = connection.head()
        assert status == 200
        yield from connection.chunks()


@contextlib.contextmanager
def counted_adapter(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountedAdapter]:
    """An adapter on its core."""
    address = f"unix:{directory}/core.sock"
    command = [sys.executable, "-m", "tests.counts.lockstep_core", address]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as core:
        assert core.stdin is not None
        assert core.stdout is not None
        with core.stdin, ThreadCalls(*FOLDERS) as calls:
            assert core.stdout.readline(), "the core does not start"
            adapter = CountedAdapter(core, address, HandOvers(monkeypatch), calls)
            try:
                yield adapter
            finally:
                adapter.close()
