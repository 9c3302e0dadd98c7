"""What clients sent and what they got, in the log of a server that was started with ``--verbose``."""

from __future__ import annotations

import logging

from flask import Response, request

logger = logging.getLogger(__name__)


def log_request_body(raw: bytes) -> None:
    """Log the body of the current request."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("request body", extra={"path": request.path, "body": raw.decode(errors="replace")})


def log_response_body(response: Response) -> None:
    """Log the body of the answer, unless it is a stream or a file."""
    if logger.isEnabledFor(logging.DEBUG) and not response.is_streamed and not response.direct_passthrough:
        fields = {"path": request.path, "status": response.status_code, "body": response.get_data(as_text=True)}
        logger.debug("response body", extra=fields)
