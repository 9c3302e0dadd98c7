"""From errors to HTTP: status, type, headers and words. ``error_forms`` makes bodies of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grpc import StatusCode
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from rest_adapter.errors import (
    INVALID_VALUE,
    AdapterError,
    Crowded,
    ForeignOrigin,
    InvalidRequest,
    Misdirected,
    NoSlot,
    NotAllowed,
    NotOffered,
    Overloaded,
    RpcFailure,
    Unauthorized,
)
from rest_adapter.http.body_size import BodyTooLarge
from rest_adapter.http.head import HeadersTooLarge, LineTooLong
from slotline.protocol import reasons

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Characters that an answer has of a reason, which may quote what the client sent.
_REASON_SHOWN = 400


@dataclass(frozen=True, slots=True)
class HttpError:
    """An error as an HTTP answer.

    Attributes:
        type: a name for programs.
        extra: further integers of the error object.
        retry_after_s: value of the ``Retry-After`` header, or None.
        code: what the OpenAI API calls this error, None if it has no name for it.
        param: the field of the body that is wrong, None if none is.
        headers: further headers of the answer.
    """

    status: int
    type: str
    message: str
    extra: Mapping[str, int] = field(default_factory=dict)
    retry_after_s: int | None = None
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


#: For the access log, and for clients that close their sending side alone.
CLIENT_GONE = HttpError(
    499,
    "client_closed_request",
    "the client has closed its side of the connection, and counts as gone",
    headers={"Connection": "close"},
)
#: For faults of the adapter itself, ...
ADAPTER_FAILED = HttpError(500, "server_error", "the adapter failed to answer; its log has the reason")
#: ... also in a stream that has begun.
STREAM_FAILED = HttpError(500, "server_error", "the adapter failed to write the answer")


def malformed_request(reason: BaseException) -> HttpError:
    """The error for what is no HTTP request, or whose head is too long."""
    match reason:
        case LineTooLong():
            return HttpError(414, "invalid_request_error", str(reason))
        case HeadersTooLarge():
            return HttpError(431, "invalid_request_error", str(reason))
        case _:
            message = f"this is not an HTTP/1.1 request: {str(reason)[:_REASON_SHOWN]}"
            return HttpError(400, "invalid_request_error", message)


def late_headers(timeout_s: float) -> HttpError:
    """The error for a request whose headers did not end in time."""
    message = f"the headers did not come within the {timeout_s:g} seconds that --header-timeout and --timeout allow"
    return HttpError(408, "invalid_request_error", message)


def routing_error(error: HTTPException, where: str) -> HttpError:
    """The error for what is wrong with a request whatever its route does.

    Args:
        error: what Werkzeug or ``current_body`` raised.
        where: method and path.
    """
    match error:
        case MethodNotAllowed():
            allowed = ", ".join(sorted({*(error.valid_methods or ()), "OPTIONS"}))
            message = f"{where}: this path takes {allowed}"
            headers = {"Allow": allowed}
            return HttpError(405, "invalid_request_error", message, code="method_not_supported", headers=headers)
        case BodyTooLarge():
            message = f"{where}: the body is larger than the {error.limit} bytes allowed"
            # What is left of the body need not be read.
            return HttpError(413, "invalid_request_error", message, headers={"Connection": "close"})
        case _ if error.code == 404:
            return HttpError(404, "not_found_error", f"{where}: there is no such path", code="unknown_url")
        case _:
            status = error.code or 500
            kind = "invalid_request_error" if status < 500 else "server_error"
            return HttpError(status, kind, f"{where}: {error.description or error.name}")


def http_error(error: AdapterError) -> HttpError:
    """An error as an HTTP answer."""
    match error:
        case RpcFailure():
            return _http_error_of_rpc(error)
        case Unauthorized():
            return HttpError(401, "authentication_error", error.message, code="invalid_api_key")
        case ForeignOrigin():
            return HttpError(403, "permission_error", error.message)
        case NotAllowed():
            return HttpError(403, "permission_error", error.message, param=error.name)
        case Misdirected():
            return HttpError(421, "invalid_request_error", error.message)
        case Overloaded():
            return HttpError(429, "rate_limit_error", error.message, retry_after_s=1, code="rate_limit_exceeded")
        case Crowded():
            return HttpError(503, "unavailable_error", error.message, retry_after_s=1)
        case NoSlot():
            return HttpError(503, "unavailable_error", error.message)
        case NotOffered() if error.is_missing:
            return HttpError(404, "not_found_error", error.message)
        case NotOffered():
            return HttpError(501, "not_supported_error", error.message)
        case InvalidRequest():
            return HttpError(400, "invalid_request_error", error.message, code=error.code, param=error.name)
        case _:
            return HttpError(400, "invalid_request_error", error.message)


#: Status and type by gRPC status and reason; an entry without a reason is for all other reasons of its status.
_HTTP: Mapping[tuple[StatusCode, str | None], tuple[int, str]] = {
    (StatusCode.INVALID_ARGUMENT, reasons.CONTEXT_LENGTH_EXCEEDED): (400, "exceed_context_size_error"),
    (StatusCode.INVALID_ARGUMENT, None): (400, "invalid_request_error"),
    (StatusCode.OUT_OF_RANGE, None): (400, "invalid_request_error"),
    (StatusCode.FAILED_PRECONDITION, None): (400, "invalid_request_error"),
    # The core refused the adapter's key, not the client's.
    (StatusCode.UNAUTHENTICATED, None): (500, "server_error"),
    (StatusCode.PERMISSION_DENIED, None): (403, "permission_error"),
    (StatusCode.NOT_FOUND, None): (404, "not_found_error"),
    # Without a reason it is gRPC itself that refuses: the message is larger than the core takes.
    (StatusCode.RESOURCE_EXHAUSTED, ""): (413, "invalid_request_error"),
    (StatusCode.RESOURCE_EXHAUSTED, reasons.QUEUE_FULL): (429, "rate_limit_error"),
    (StatusCode.RESOURCE_EXHAUSTED, None): (503, "unavailable_error"),
    (StatusCode.UNAVAILABLE, None): (503, "unavailable_error"),
    (StatusCode.ABORTED, None): (503, "unavailable_error"),
    # By the core: cancellations by the adapter end in StreamClosed.
    (StatusCode.CANCELLED, None): (503, "unavailable_error"),
    (StatusCode.UNIMPLEMENTED, None): (501, "not_supported_error"),
    (StatusCode.DEADLINE_EXCEEDED, None): (504, "timeout_error"),
}
_OTHER = (500, "server_error")
#: What the OpenAI API calls errors of the core, by their reason.
_OPENAI_CODES: Mapping[str, str] = {
    reasons.CONTEXT_LENGTH_EXCEEDED: "context_length_exceeded",
    reasons.INVALID_ARGUMENT: INVALID_VALUE,
    reasons.MODEL_NOT_FOUND: "model_not_found",
    reasons.QUEUE_FULL: "rate_limit_exceeded",
}
_CONTEXT_FACTS = (reasons.N_PROMPT_TOKENS, reasons.N_CTX)


def _http_error_of_rpc(error: RpcFailure) -> HttpError:
    status, kind = _HTTP.get((error.status, error.reason)) or _HTTP.get((error.status, None), _OTHER)
    extra = {}
    if kind == "exceed_context_size_error":
        extra = {name: int(error.metadata[name]) for name in _CONTEXT_FACTS if name in error.metadata}
    retry = None if error.retry_after_s is None else max(1, math.ceil(error.retry_after_s))
    return HttpError(
        status, kind, _message(error), extra, retry, code=_OPENAI_CODES.get(error.reason), param=_param(error)
    )


def _param(error: RpcFailure) -> str | None:
    """The field of the body that the core refused, the first of several."""
    if error.violations:
        path = error.violations[0][0]
    else:
        return "model" if error.reason == reasons.MODEL_NOT_FOUND else None
    # A condition may follow the field.
    return path.partition(" ")[0]


def _message(error: RpcFailure) -> str:
    """The core's message, with the names that its fields have in the body."""
    if error.violations:
        return "; ".join(f"{path}: {description}" for path, description in error.violations)
    if error.status is StatusCode.UNAUTHENTICATED:
        return "the adapter has no valid API key for the core; its log has the details"
    return error.message
