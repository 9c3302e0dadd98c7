"""A wrong request as data: the bytes that are sent, and what the answer must say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from rest_adapter.http.error_forms import ErrorForm, error_form
from tests.support.http_stream import HttpConnection

#: Presented by all of them unless they say otherwise, to servers with and without keys.
KEY = "sk-of-the-table"
INVALID = "invalid_request_error"
NOT_HTTP = "this is not an HTTP/1.1 request"
_LONGEST_MESSAGE = 500


@dataclass(frozen=True)
class WrongRequest:
    """One request, and its answer.

    Attributes:
        name: says which one it is when a test fails.
        data: all that is sent.
        status: HTTP status of the answer.
        kind: type of the error.
        words: what the message must hold: the field, the value, what is allowed.
        is_cut: the client ends its side of the connection after the data.
    """

    name: str
    data: bytes
    status: int
    kind: str
    words: tuple[str, ...]
    is_cut: bool = False

    def check_on(self, address: tuple[str, int]) -> dict[str, Any]:
        """Send it to a service and check the answer; the error that it held."""
        with HttpConnection(address, self.data) as connection:
            if self.is_cut:
                connection.end_sending()
            status, headers, body = connection.answer()
        assert (status, headers["content-type"]) == (self.status, "application/json; charset=utf-8"), body
        answer = json.loads(body)
        error: dict[str, Any] = answer["error"]
        form = self._form(error["message"])
        if form is ErrorForm.ANTHROPIC:
            assert set(answer) == {"error", "request_id", "type"}
            assert (answer["type"], answer["request_id"]) == ("error", headers["request-id"])
        else:
            assert set(answer) == {"error"}
        extra = {"n_prompt_tokens", "n_ctx"} if self.kind == "exceed_context_size_error" else set()
        assert error["type"] == self.kind, error
        if form is ErrorForm.ANTHROPIC:
            assert set(error) == {"message", "type"}
        elif form is ErrorForm.OPENAI:
            assert set(error) == {"code", "message", "param", "type"} | extra
            assert all(error[name] is None or isinstance(error[name], str) for name in ("code", "param")), error
        else:
            assert set(error) == {"code", "message", "type"} | extra
            assert error["code"] == self.status, error
        # What a client sent is repeated to it in part only.
        assert len(error["message"]) < _LONGEST_MESSAGE, error["message"]
        missing = [word for word in self.words if word not in error["message"]]
        assert not missing, error["message"]
        return error

    def _form(self, message: str) -> ErrorForm:
        # What is no request at all is for no route.
        if self.status in (414, 431) or message.startswith(NOT_HTTP):
            return ErrorForm.NATIVE
        target = self.data.split(b"\r\n", 1)[0].split(b" ")[1]
        return error_form(unquote_to_bytes(target).decode("latin-1"))


def http(method: str, path: str, body: bytes = b"", *headers: str, key: str | None = KEY) -> bytes:
    """A request with a key and a length of the body, unless ``headers`` say how long it is."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if key is not None:
        lines.append(f"Authorization: Bearer {key}")
    if not any(header.lower().startswith(("content-length:", "transfer-encoding:")) for header in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, *headers]).encode("latin-1") + b"\r\n\r\n" + body


def wrong_body(path: str, body: object, *words: str, status: int = 400, kind: str = INVALID) -> WrongRequest:
    """A POST of a value, or of bytes that are no JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    shown = (raw if len(raw) <= 100 else raw[:20] + b"..." + raw[-60:]).decode("ascii", "backslashreplace")
    return WrongRequest(f"{path} {shown}", http("POST", path, raw), status, kind, words)
