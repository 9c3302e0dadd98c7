"""One HTTP connection: pywsgi's handler with our time limits, an orderly end and an access log."""

from __future__ import annotations

import logging
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from gevent import GreenletExit, socket

from rest_adapter.errors import Crowded
from rest_adapter.http.body import Deadline, RequestBody, TooSlow
from rest_adapter.http.cors import ADDRESS_KEY
from rest_adapter.http.disconnect import SOCKET_KEY
from rest_adapter.http.head import (
    HeadersTooLarge,
    LineTooLong,
    MalformedHead,
    authority_and_path,
    ends_connection,
    parse_request_line,
    read_fields,
    read_request_line,
    wsgi_fields,
)
from rest_adapter.http.http_errors import ADAPTER_FAILED, http_error, late_headers, malformed_request
from rest_adapter.http.places import Place
from rest_adapter.http.pywsgi_hooks import NO_REQUEST, SOME_REQUEST, HookedHandler
from rest_adapter.http.responses import last_response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gevent.pywsgi import WSGIServer

    from rest_adapter.http.server_state import ServerState

logger = logging.getLogger(__name__)

#: Seconds for which a connection may wait for its next request.
KEEP_ALIVE_S = 5.0
#: Seconds that a connection has for its request if it was accepted just before the server began to drain.
DRAINING_S = 0.5
#: Seconds for sending the error with which a connection ends.
LAST_ANSWER_S = 2.0
#: What may stand in a query as it is.
_ASCII = "".join(map(chr, range(128)))
#: Polled by an editor plugin; a record per poll would bury the others.
_UNLOGGED_PATHS = frozenset({"/v1/health"})


class ConnectionHandler(HookedHandler):
    """Handles the requests of one connection, one after the other.

    Args:
        connection: the client's socket.
        address: of the client.
        server: as pywsgi wants it.
        state: the server's limits, and whether it is draining.
    """

    def __init__(self, connection: socket.socket, address: Any, server: WSGIServer, state: ServerState) -> None:
        super().__init__(connection, address, server)
        self._state = state
        self._own_address: str = connection.getsockname()[0]

    def handle(self) -> None:
        # pywsgi leaves the closing of the reader to the garbage collector, which may be long.
        reader = self.rfile
        self._place = Place(self._state.places, self.socket)
        try:
            super().handle()
        except OSError as error:
            # The client left before the error could be sent.
            logger.info("client gone", extra={"remote_addr": self._remote()[0], "reason": str(error)})
        finally:
            self._place.keep()
            reader.close()

    def handle_one_response(self) -> None:
        super().handle_one_response()
        if not self._body.is_done:
            # The next bytes are the rest of the body, and no request.
            self.close_connection = True

    def read_requestline(self) -> str:
        # Waits for the first byte only: read_request reads the line, so that its errors are answered like those of
        # headers.
        self.socket.settimeout(DRAINING_S if self._state.is_draining else KEEP_ALIVE_S)
        self._place.await_request()
        arrived = self.rfile.peek(1)
        if not arrived or self._place.gave_way:
            return NO_REQUEST
        # Most requests come in one packet, and then nothing of them needs a time limit.
        self._is_head_here = b"\r\n\r\n" in arrived
        self._n_body_bytes_here = len(arrived) - arrived.find(b"\r\n\r\n") - 4 if self._is_head_here else 0
        self._place.begin_request()
        self.socket.settimeout(self._state.io_timeout_s)
        self._head_deadline = Deadline(self._state.header_timeout_s)
        self._deadline = Deadline(self._state.io_timeout_s)
        return SOME_REQUEST

    def read_request(self, raw_requestline: str) -> Any:
        with nullcontext() if self._is_head_here else self._head_deadline.limit():
            self.requestline = read_request_line(self.rfile)
            self.command, target, self.request_version = parse_request_line(self.requestline)
            fields = wsgi_fields(read_fields(self.rfile))
        self.content_length = int(fields.get("CONTENT_LENGTH", 0))
        if self.content_length and self.command == "HEAD":
            raise ValueError("Unexpected Content-Length")
        self.close_connection = ends_connection(self.request_version, (fields.get("HTTP_CONNECTION", ""),))
        authority, self.path = authority_and_path(target)
        if authority is not None:
            fields["HTTP_HOST"] = authority
        # There is nothing to upgrade to, so that a request for it is an ordinary one.
        fields.pop("HTTP_UPGRADE", None)
        self._fields = fields
        return True

    def get_environ(self) -> dict[str, Any]:
        path, _, query = str(self.path).partition("?")
        fields, (address, port) = self._fields, self._remote()
        self._body = self.wsgi_input = self._request_body()
        return {
            **self.server.get_environ(),
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            # Readers of queries expect that what is not ASCII is percent-encoded.
            "QUERY_STRING": query if query.isascii() else quote(query, _ASCII, "latin-1"),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": address,
            "REMOTE_PORT": str(port),
            **fields,
            SOCKET_KEY: self.socket,
            ADDRESS_KEY: self._own_address,
            "wsgi.input": self._body,
            "wsgi.input_terminated": True,
        }

    def _request_body(self) -> RequestBody:
        is_asking = self._fields.get("HTTP_EXPECT", "").lower() == "100-continue"
        return RequestBody(
            self.rfile,
            self.content_length,
            socket=self.socket if is_asking else None,
            chunked_input="HTTP_TRANSFER_ENCODING" in self._fields,
            deadline=self._deadline,
            place=self._place,
            is_here=self._n_body_bytes_here >= self.content_length,
        )

    def start_response(self, status: str, headers: Iterable[tuple[str, str]], exc_info: Any = None) -> Any:
        headers = list(headers)
        names = {name.lower(): value for name, value in headers}
        is_old = self.request_version == "HTTP/1.0"
        if "connection" not in names:
            # HTTP/1.0 has no chunks: only the end of the connection ends an answer of unknown length.
            is_endless = is_old and "content-length" not in names
            if self.close_connection or self._state.is_draining or self._body.is_broken or is_endless:
                headers.append(("Connection", "close"))
                self.close_connection = True
            elif is_old:
                headers.append(("Connection", "keep-alive"))
        elif names["connection"] == "close":
            self.close_connection = True
        self.begin_answer(status, headers, names.keys())
        return self.write

    def handle_error(self, t: type[BaseException] | None, v: BaseException | None, tb: Any) -> None:
        if isinstance(v, TimeoutError):
            logger.warning("client too slow", extra={"remote_addr": self._remote()[0]})
            self.close_connection = True
            return
        super().handle_error(t, v, tb)

    def refuse(self, error: BaseException) -> tuple[str, bytes] | None:
        address = self._remote()[0]
        self.socket.settimeout(LAST_ANSWER_S)
        if isinstance(error, OSError):
            logger.info("incomplete request", extra={"remote_addr": address, "reason": str(error)})
            if self._place.gave_way:
                return last_response(http_error(Crowded()))
            return last_response(late_headers(self._state.header_timeout_s)) if isinstance(error, TooSlow) else None
        logger.warning("malformed request", extra={"remote_addr": address, "reason": _reason(error)})
        return last_response(malformed_request(error))

    def answer_failure(self) -> None:
        # pywsgi's own answers are not JSON.
        self.close_connection = True
        if not self.response_length:
            with suppress(OSError):
                self.socket.sendall(last_response(ADAPTER_FAILED)[1])

    def log_failure(self, kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        # GreenletExit is our own doing: the drain time was over.
        if not issubclass(kind, GreenletExit):
            logger.error("request failed", exc_info=(kind, error, traceback))

    def log_request(self) -> None:
        # Without the query, where clients have put keys and texts.
        path = (self.path or "").partition("?")[0]
        if path in _UNLOGGED_PATHS:
            return
        address, port = self._remote()
        logger.info(
            "request",
            extra={
                "remote_addr": address,
                "remote_port": port,
                "method": self.command,
                "path": path,
                "status": self._status_code(),
                "milliseconds": round(1000 * (self.time_finish - self.time_start), 1),
            },
        )

    def _status_code(self) -> int:
        # If the request line was refused, pywsgi knows the status only; if sending failed, it negates the code.
        if isinstance(self.status, str) and self.status.isdigit():
            return int(self.status)
        return abs(self.code or 0)

    def _remote(self) -> tuple[str, int]:
        return str(self.client_address[0]), int(self.client_address[1])


def _reason(error: BaseException) -> str:
    """What is wrong with a request, without anything that the client sent."""
    match error:
        case MalformedHead():
            return error.summary
        case LineTooLong() | HeadersTooLarge():
            return str(error)
        case _:
            return type(error).__name__
