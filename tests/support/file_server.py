"""An HTTP server in a thread that answers as a test wants, and a network whose names a test makes up."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from gevent import socket
from gevent.event import Event

from rest_adapter.remote.network import Internet

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence

    from gevent import ssl as gevent_ssl


FILE = b"\x89PNG\r\n\x1a\n and more"


@dataclass
class Response:
    """What a path answers.

    Attributes:
        body: its pieces.
        gate: awaited before each piece but the first, if there is one.
    """

    body: Sequence[bytes] = (FILE,)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    has_length: bool = True
    gate: threading.Event | None = None


@dataclass
class Asked:
    """A request as the server got it."""

    path: str
    headers: dict[str, str]


class FileServer:
    """Answers GET on a port of this machine.

    Args:
        tls: makes it an https server.

    Attributes:
        answers: by path; other paths are 404.
        asked: the requests so far.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Response] = {}
        self.asked: list[Asked] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def close(self) -> None:
        """Stop; waiting answers go on first."""
        for answer in self.answers.values():
            if answer.gate is not None:
                answer.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def file_server(tls: ssl.SSLContext | None = None, **answers: Response) -> Iterator[FileServer]:
    """A server while the context lasts; ``answers`` are by path, without the slash."""
    server = FileServer(tls)
    server.answers = {f"/{name}": answer for name, answer in answers.items()}
    server.start()
    try:
        yield server
    finally:
        server.close()


def _handler(server: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.asked.append(Asked(self.path, dict(self.headers.items())))
            answer = server.answers.get(self.path.partition("?")[0], Response(body=(b"",), status=404))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.has_length and "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(sum(map(len, answer.body))))
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                for number, piece in enumerate(answer.body):
                    if number and answer.gate is not None:
                        answer.gate.wait()
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                # The client has had enough.
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler


class MadeUpNetwork(Internet):
    """Names with addresses that a test makes up, all of them on this machine in the end.

    Args:
        port: of the server that is behind all addresses.
        names: for each name the answers to the lookups of it, of which the last is given again and again.
        tls: checks certificates.

    Attributes:
        lookups: the names that were looked up.
        connected: the addresses that were connected to.
        refusing: addresses that refuse.
        silent: addresses that never answer, and names whose lookup never ends.
    """

    def __init__(
        self, port: int, names: dict[str, list[list[str]]] | None = None, tls: gevent_ssl.SSLContext | None = None
    ) -> None:
        super().__init__(tls)
        self._port = port
        self._names = {name: deque(answers) for name, answers in (names or {}).items()}
        self.lookups: list[str] = []
        self.connected: list[str] = []
        self.refusing: set[str] = set()
        self.silent: set[str] = set()

    def addresses(self, host: str, port: int) -> list[str]:
        self.lookups.append(host)
        if host in self.silent:
            Event().wait()
        if host not in self._names:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        answers = self._names[host]
        return answers.popleft() if len(answers) > 1 else answers[0]

    def open(self, address: str, port: int) -> socket.socket:
        self.connected.append(address)
        if address in self.refusing:
            raise ConnectionRefusedError
        if address in self.silent:
            Event().wait()
        return socket.create_connection(("127.0.0.1", self._port))
