"""Flask responses with JSON and with errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Response, request

from rest_adapter.http.http_errors import HttpError, is_openai_path
from rest_adapter.http.media_types import JSON_UTF8
from rest_adapter.json.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

SERVER_NAME = "slotline"


def json_response(value: object, *, status: int = 200, content_type: str = JSON_UTF8) -> Response:
    """A value as JSON."""
    return Response(encode(value), status, content_type=content_type)


def long_json_response(pieces: Sequence[bytes], *, content_type: str = JSON_UTF8) -> Response:
    """JSON text in pieces. They are written one by one, and other connections get their turn after each."""
    return Response(pieces, 200, content_type=content_type)


def error_response(error: HttpError) -> Response:
    """An error as JSON, in the form of the route that the request is for."""
    response = json_response(error.body(is_openai=is_openai_path(request.path)), status=error.status)
    response.headers.update(error.headers)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def last_response(error: HttpError) -> tuple[str, bytes]:
    """The status code and all bytes of an answer that ends the connection, for what never reaches a route."""
    body = encode(error.body())
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
