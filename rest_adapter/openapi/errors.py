"""The answers with an error: which status means what, and the object that all of them have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rest_adapter.openapi.forms import COUNT, STRING, Schema, integer, record
from rest_adapter.responses import JSON


@dataclass(frozen=True, slots=True)
class Status:
    """A status of errors.

    Attributes:
        name: what the document calls the answer.
        types: what ``error.type`` may be.
        words: when it comes.
        headers: names of headers that come with it, and what they tell.
    """

    name: str
    types: tuple[str, ...]
    words: str
    headers: Mapping[str, str]


_RETRY = {"Retry-After": "Seconds after which the same request may succeed; not always there."}
STATUSES: Mapping[int, Status] = {
    400: Status(
        "Invalid",
        ("invalid_request_error", "exceed_context_size_error"),
        "The body is not JSON, or a field has a value that is not allowed; the message names both. A prompt that does "
        "not fit has a type of its own and the numbers n_prompt_tokens and n_ctx.",
        {},
    ),
    401: Status(
        "Unauthorized",
        ("authentication_error",),
        "The server was started with API keys, and the request has none of them.",
        {"WWW-Authenticate": "Bearer."},
    ),
    403: Status("Forbidden", ("permission_error",), "The core does not allow it.", {}),
    404: Status("NotFound", ("not_found_error",), "There is no such thing, or the server was started without it.", {}),
    413: Status("TooLarge", ("invalid_request_error",), "The body is larger than the server takes.", {}),
    429: Status("Overloaded", ("rate_limit_error",), "As many requests wait as may.", _RETRY),
    500: Status("Failed", ("server_error",), "A fault of the server; its log has the reason.", {}),
    501: Status(
        "NotSupported",
        ("not_supported_error",),
        "This server, as it was started, or its model cannot do it; the message says why.",
        {},
    ),
    503: Status(
        "Unavailable",
        ("unavailable_error",),
        "Not now: the model is being loaded, the server is going down, or something has run out.",
        _RETRY,
    ),
    504: Status("TimedOut", ("timeout_error",), "The time limit of the request was over.", {}),
}


def error_refs(statuses: Iterable[int]) -> dict[str, Schema]:
    """The answers of an operation for some statuses."""
    return {str(status): {"$ref": f"#/components/responses/{STATUSES[status].name}"} for status in sorted(statuses)}


def error_answers() -> dict[str, Schema]:
    """All answers with an error, by name."""
    return {one.name: _answer(code, one) for code, one in STATUSES.items()}


def error_schema() -> Schema:
    """What every error looks like, also inside a stream."""
    return _error(integer((400, 599)), {type for one in STATUSES.values() for type in one.types})


def _answer(code: int, status: Status) -> Schema:
    answer: Schema = {
        "description": status.words,
        "content": {JSON.partition(";")[0]: {"schema": _error({"const": code}, status.types)}},
    }
    if status.headers:
        answer["headers"] = {
            name: {"description": words, "schema": STRING} for name, words in sorted(status.headers.items())
        }
    return answer


def _error(code: Schema, types: Iterable[str]) -> Schema:
    fields: dict[str, Schema] = {
        "code": code,
        "message": STRING,
        "type": {"enum": sorted(types)},
        "n_prompt_tokens": COUNT,
        "n_ctx": COUNT,
    }
    return record({"error": record(fields, optional=("n_prompt_tokens", "n_ctx"))})
