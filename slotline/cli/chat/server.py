"""Asks a server over the REST API that it shares with the llama.cpp server. Needs only the standard library."""

from __future__ import annotations

import http.client
import json
import re
import socket
import urllib.parse
from collections.abc import Generator, Iterator, Mapping
from typing import Any

#: Seconds: loading and long queues may take minutes, but accepting a connection does not, nor do small questions.
CONNECT_TIMEOUT_S = 10.0
_MAX_ERROR_BYTES = 64 * 1024
_MAX_SHOWN = 300
_DONE = b"[DONE]"
HTTP_UNAUTHORIZED = 401
_HTTP_OK = 200
#: What servers call a conversation that does not fit, as code or type.
_TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error"})
#: A host that cannot be written as one of the name service is a UnicodeError.
_FAILURES = (OSError, http.client.HTTPException, UnicodeError)

Event = Mapping[str, Any]


class ServerError(Exception):
    """The server cannot be reached, or refused or failed; the text is one line.

    Attributes:
        status: the HTTP status, 0 if there is none.
        retry_after_s: seconds after which the same request may succeed, or None.
        is_too_long: whether the conversation does not fit into the context.
    """

    def __init__(
        self, message: str, *, status: int = 0, retry_after_s: int | None = None, is_too_long: bool = False
    ) -> None:
        super().__init__(" ".join(message.split())[:_MAX_SHOWN])
        self.status = status
        self.retry_after_s = retry_after_s
        self.is_too_long = is_too_long


class ChatServer:
    """A server that answers chats. Every request has a connection of its own.

    Args:
        url: where it is, without the paths of the API.
        key: API key, or None.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        self.key = key

    def stream(self, body: Mapping[str, object]) -> Generator[Event, None, None]:
        """The events of an answer as they come; close the iterator to stop it.

        Raises:
            ServerError: there is none, or it broke off.
        """
        connection = self._connection()
        try:
            with self._send(connection, "POST", "/v1/chat/completions", json.dumps(body).encode()) as response:
                yield from _events(response)
        except _FAILURES as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()

    def model(self) -> str:
        """The name of the first model.

        Raises:
            ServerError: it cannot be asked.
        """
        models = self._get("/v1/models").get("data")
        first = models[0] if isinstance(models, list) and models else None
        return str(first.get("id", "unknown")) if isinstance(first, dict) else "unknown"

    def context_tokens(self) -> int | None:
        """Tokens that a conversation may have, None if the server does not say.

        Raises:
            ServerError: it cannot be asked.
        """
        settings = self._get("/props").get("default_generation_settings")
        n_ctx = settings.get("n_ctx") if isinstance(settings, dict) else None
        return n_ctx if isinstance(n_ctx, int) and n_ctx > 0 else None

    def _get(self, path: str) -> dict[str, Any]:
        connection = self._connection()
        try:
            with self._send(connection, "GET", path, None, CONNECT_TIMEOUT_S) as response:
                answer = _parsed(response.read())
        except _FAILURES as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()
        if not isinstance(answer, dict):
            raise ServerError(f"{self.url}{path}: the answer is no JSON object; is it a llama.cpp or OpenAI server?")
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        parts = urllib.parse.urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=CONNECT_TIMEOUT_S)

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        timeout_s: float | None = None,
    ) -> http.client.HTTPResponse:
        """Ask, and check the status. ``timeout_s`` is for each read; None waits as long as it takes."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        connection.connect()
        connection.sock.settimeout(timeout_s)
        if timeout_s is None:
            # However long an answer may take: a machine that has vanished must not be waited for.
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.request(method, urllib.parse.urlsplit(self.url).path + path, body, headers)
        response = connection.getresponse()
        if response.status != _HTTP_OK:
            with response:
                raise _refusal(response, self.key is not None)
        return response

    def _unreachable(self, error: Exception) -> ServerError:
        if isinstance(error, TimeoutError):
            return ServerError(f"{self.url} does not answer")
        if isinstance(error, ConnectionRefusedError | socket.gaierror):
            return ServerError(f"{self.url} cannot be reached: {error.strerror}; is the server running?")
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return ServerError(f"the connection to {self.url} broke: {reason}")


def _events(response: http.client.HTTPResponse) -> Iterator[Event]:
    for line in response:
        field, colon, data = line.strip().partition(b":")
        if not colon or field not in (b"data", b"error"):
            continue
        if data.strip() == _DONE:
            return
        event = _parsed(data)
        if not isinstance(event, dict):
            raise ServerError("the server sent an event that is no JSON object")
        if field == b"error" or isinstance(event.get("error"), dict):
            raise _error(event, 0, None)
        yield event


def _refusal(response: http.client.HTTPResponse, has_key: bool) -> ServerError:
    raw = response.read(_MAX_ERROR_BYTES)
    seconds = response.getheader("Retry-After", "")
    retry_after_s = int(seconds) if re.fullmatch(r"[0-9]{1,9}", seconds) else None
    if response.status == HTTP_UNAUTHORIZED:
        what = "does not take this API key" if has_key else "wants an API key"
        return ServerError(f"the server {what}", status=response.status)
    parsed = _parsed(raw)
    if isinstance(parsed, dict) and parsed:
        return _error(parsed, response.status, retry_after_s)
    text = raw.decode(errors="replace").strip() or response.reason
    return ServerError(f"the server answered {response.status}: {text}", status=response.status)


def _error(body: Mapping[str, Any], status: int, retry_after_s: int | None) -> ServerError:
    """The error in a body, or in an event of a stream that had begun."""
    error = body.get("error", body)
    message = error.get("message", json.dumps(error)) if isinstance(error, dict) else error
    code = error.get("code") if isinstance(error, dict) else None
    if not status and isinstance(code, int):
        status = code
    is_too_long = isinstance(error, dict) and not _TOO_LONG.isdisjoint({str(code), str(error.get("type"))})
    return ServerError(str(message), status=status, retry_after_s=retry_after_s, is_too_long=is_too_long)


def _parsed(raw: bytes) -> object:
    try:
        parsed: object = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return parsed
