"""Answers as WSGI sends them: JSON, errors, and whatever Flask has made."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from werkzeug.http import HTTP_STATUS_CODES

from rest_adapter.http.error_forms import ErrorForm, error_body, told_in
from rest_adapter.http.media_types import JSON_UTF8
from rest_adapter.http.request_ids import request_id
from rest_adapter.json.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from flask import Response

    from rest_adapter.http.http_errors import HttpError

SERVER_NAME = "slotline"

#: As Werkzeug writes them.
_STATUS_LINES = {code: f"{code} {phrase.upper()}" for code, phrase in HTTP_STATUS_CODES.items()}


class Answer:
    """What a request is answered with.

    Args:
        body: what is written, piece by piece. Of a list the length is told.
        status: HTTP status.
        headers: names and values, in order.
        is_shown: the log of a verbose server shows the body, which is a list or a tuple then.
    """

    __slots__ = ("body", "headers", "is_shown", "status")

    def __init__(
        self, body: Iterable[bytes], *, status: int = 200, headers: list[tuple[str, str]], is_shown: bool = False
    ) -> None:
        self.body = body
        self.status = status
        self.headers = headers
        self.is_shown = is_shown

    @classmethod
    def of(cls, response: Response, environ: WSGIEnvironment) -> Answer:
        """The same answer, as far as it is up to Flask."""
        body, status, headers = response.get_wsgi_response(environ)
        # Flask has told the length already.
        return cls(iter(body) if isinstance(body, list) else body, status=int(status[:3]), headers=headers)

    def vary_with(self, name: str) -> None:
        """Tell caches that the answer depends on a header of the request, among others."""
        for place, (known, value) in enumerate(self.headers):
            if known == "Vary":
                self.headers[place] = ("Vary", f"{value}, {name}")
                return
        self.headers.append(("Vary", name))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = self.headers
        if isinstance(self.body, list):
            headers = [*headers, ("Content-Length", str(sum(map(len, self.body))))]
        start_response(_STATUS_LINES.get(self.status) or f"{self.status} UNKNOWN", headers)
        # Anything else may have to be closed, and is empty already.
        is_left_out = environ["REQUEST_METHOD"] == "HEAD" and isinstance(self.body, list | tuple)
        return () if is_left_out else self.body


def json_response(value: object, *, status: int = 200, content_type: str = JSON_UTF8) -> Answer:
    """A value as JSON."""
    return bytes_response(encode(value), status=status, content_type=content_type)


def bytes_response(data: bytes, *, status: int = 200, content_type: str) -> Answer:
    """Bytes of a type."""
    headers = [("Content-Type", content_type), ("Content-Length", str(len(data)))]
    return Answer((data,), status=status, headers=headers, is_shown=True)


def long_json_response(pieces: list[bytes], *, content_type: str = JSON_UTF8) -> Answer:
    """JSON text in pieces. They are written one by one, and other connections get their turn after each."""
    return Answer(pieces, headers=[("Content-Type", content_type)], is_shown=True)


def error_response(error: HttpError, form: ErrorForm) -> Answer:
    """An error as JSON, in the form that the request gets."""
    error = told_in(form, error)
    body = error_body(form, error, request_id() if form is ErrorForm.ANTHROPIC else "")
    response = json_response(body, status=error.status)
    response.headers.extend(error.headers.items())
    if error.retry_after_s is not None:
        response.headers.append(("Retry-After", str(error.retry_after_s)))
    if error.status == 401:
        response.headers.append(("WWW-Authenticate", "Bearer"))
    return response


def last_response(error: HttpError) -> tuple[str, bytes]:
    """The status code and all bytes of an answer that ends the connection, for what never reaches a route."""
    body = encode(error_body(ErrorForm.NATIVE, error))
    lines = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        "Connection: close",
        f"Content-Type: {JSON_UTF8}",
        f"Content-Length: {len(body)}",
        f"Server: {SERVER_NAME}",
    ]
    if error.retry_after_s is not None:
        lines.append(f"Retry-After: {error.retry_after_s}")
    return str(error.status), "\r\n".join([*lines, "", ""]).encode() + body
