"""Bodies of requests and answers in the log of a server with ``--verbose``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from flask import request

if TYPE_CHECKING:
    from rest_adapter.http.responses import Answer

logger = logging.getLogger(__name__)

#: A longer body is cut off in the log: writing all of it would hold up all connections.
_SHOWN_BYTES = 16 * 1024


def log_request_body(raw: bytes) -> None:
    """Log the body of the current request."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("request body", extra={"path": request.path, "body": _shown(raw)})


def log_response_body(answer: Answer) -> None:
    """Log the body of the answer, unless it is a stream or a file."""
    if logger.isEnabledFor(logging.DEBUG) and answer.is_shown:
        fields = {"path": request.path, "status": answer.status, "body": _shown(b"".join(answer.body))}
        logger.debug("response body", extra=fields)


def _shown(body: bytes) -> str:
    if len(body) <= _SHOWN_BYTES:
        return body.decode(errors="replace")
    return f"{body[:_SHOWN_BYTES].decode(errors='replace')}... ({len(body)} bytes in all)"
