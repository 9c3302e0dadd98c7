"""HTTP over a bare socket, for what client libraries hide: single chunks, pipelining, closing at any moment."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_S = 20.0


def request_bytes(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    """An HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def post_bytes(path: str, **body: object) -> bytes:
    """A POST of a JSON object."""
    return request_bytes("POST", path, json.dumps(body).encode())


class HttpConnection:
    """One connection; read answers in the order of the requests.

    Args:
        address: host and port.
        data: sent at once.
    """

    def __init__(self, address: tuple[str, int], data: bytes = b"") -> None:
        self.socket = socket.create_connection(address, WAIT_S)
        self._reader = self.socket.makefile("rb")
        self.socket.sendall(data)

    def __enter__(self) -> HttpConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both directions."""
        self._reader.close()
        self.socket.close()

    def end_sending(self) -> None:
        """Close the sending side; answers can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def head(self) -> tuple[int, dict[str, str]]:
        """The status and the headers of the next answer, names in lower case."""
        status = int(self._reader.readline().split()[1])
        headers = {}
        while line := self._reader.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def body(self, headers: dict[str, str]) -> bytes:
        """The body of an answer whose head has been read."""
        if headers.get("transfer-encoding") == "chunked":
            return b"".join(self.chunks())
        return self._reader.read(int(headers["content-length"]))

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer."""
        status, headers = self.head()
        return status, headers, self.body(headers)

    def chunks(self) -> Iterator[bytes]:
        """The chunks of a chunked body as they come."""
        while size := int(self._reader.readline(), 16):
            yield self._reader.read(size)
            self._reader.readline()
        self._reader.readline()

    def is_at_end(self) -> bool:
        """Wait for more bytes; whether the server has closed instead."""
        return not self._reader.peek(1)


def event_data(chunk: bytes) -> Any:
    """The JSON of a server-sent event that fills a chunk."""
    assert chunk.startswith(b"data: ")
    assert chunk.endswith(b"\n\n")
    assert chunk.count(b"\n") == 2
    return json.loads(chunk[6:])
