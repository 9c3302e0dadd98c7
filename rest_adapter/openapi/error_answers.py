"""Answers with an error: their statuses, and what they look like in each form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.errors import INVALID_TYPE, INVALID_VALUE, MISSING, UNSUPPORTED
from rest_adapter.http.error_forms import ErrorForm, told_in
from rest_adapter.http.http_errors import HttpError
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.schema_types import COUNT, NULL, STRING, Schema, either, integer, record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Status:
    """A status of errors.

    Attributes:
        name: what the document calls the answer of native routes; those of others begin with the name of their form.
        types: what ``error.type`` may be.
        codes: what ``error.code`` may be on OpenAI routes, besides null.
        description: when it comes.
        headers: names of headers that come with it, and what they say.
    """

    name: str
    types: tuple[str, ...]
    description: str
    headers: Mapping[str, str]
    codes: tuple[str, ...] = ()

    def answer(self, form: ErrorForm) -> str:
        """What the document calls the answer."""
        return form.value + self.name


_RETRY = {"Retry-After": "Seconds after which the same request may succeed; not always there."}
STATUSES: Mapping[int, Status] = {
    400: Status(
        "Invalid",
        ("invalid_request_error", "exceed_context_size_error"),
        "The body is not JSON, or a field has a value that is not allowed; the message names both. A prompt that does "
        "not fit has a type of its own and the numbers n_prompt_tokens and n_ctx.",
        {},
        ("context_length_exceeded", INVALID_TYPE, INVALID_VALUE, MISSING, UNSUPPORTED),
    ),
    401: Status(
        "Unauthorized",
        ("authentication_error",),
        "The server was started with API keys, and the request has none of them.",
        {"WWW-Authenticate": "Bearer."},
        ("invalid_api_key",),
    ),
    403: Status(
        "Forbidden",
        ("permission_error",),
        "A web page of an origin that may not use this server, or a system_prompt from somebody who may not set it.",
        {},
    ),
    404: Status(
        "NotFound",
        ("not_found_error",),
        "There is no such thing, or the server was started without it.",
        {},
        ("model_not_found", "unknown_url"),
    ),
    413: Status("TooLarge", ("invalid_request_error",), "The body is larger than the server takes.", {}),
    421: Status(
        "Misdirected",
        ("invalid_request_error",),
        "The header Host has a name that is none of this server's.",
        {},
    ),
    429: Status("Overloaded", ("rate_limit_error",), "As many requests wait as may.", _RETRY, ("rate_limit_exceeded",)),
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


def error_refs(statuses: Iterable[int], form: ErrorForm) -> dict[str, Schema]:
    """The answers of an operation for some statuses, which are those of native routes."""
    names = {_status_in(form, status): STATUSES[status].answer(form) for status in sorted(statuses)}
    return {str(status): {"$ref": f"#/components/responses/{name}"} for status, name in names.items()}


def error_answers(forms: Collection[ErrorForm]) -> dict[str, Schema]:
    """All answers with an error of these forms, by name."""
    return {one.answer(form): _answer(code, one, form) for form in forms for code, one in STATUSES.items()}


def error_schemas(forms: Collection[ErrorForm]) -> dict[str, Schema]:
    """What every error of these forms looks like, also inside a stream, by name."""
    types = {type for one in STATUSES.values() for type in one.types}
    codes = {code for one in STATUSES.values() for code in one.codes}
    anthropic = {_anthropic_type(code) for code in STATUSES}
    schemas = {
        ErrorForm.NATIVE: _error(integer((400, 599)), types),
        ErrorForm.OPENAI: _openai_error(codes, integer((400, 599)), types),
        ErrorForm.ANTHROPIC: _anthropic_error(anthropic),
    }
    return {f"{form.value}Error": schemas[form] for form in forms}


def _answer(code: int, status: Status, form: ErrorForm) -> Schema:
    match form:
        case ErrorForm.NATIVE:
            schema = _error({"const": code}, status.types)
        case ErrorForm.OPENAI:
            schema = _openai_error(status.codes, {"const": code}, status.types)
        case ErrorForm.ANTHROPIC:
            schema = _anthropic_error([_anthropic_type(code)])
    answer: Schema = {
        "description": status.description,
        "content": {JSON: {"schema": schema}},
    }
    if status.headers:
        answer["headers"] = {
            name: {"description": about, "schema": STRING} for name, about in sorted(status.headers.items())
        }
    return answer


def _error(code: Schema, types: Iterable[str]) -> Schema:
    return _error_object({"code": code}, types)


def _openai_error(codes: Iterable[str], status: Schema, types: Iterable[str]) -> Schema:
    """In OpenAI's form; in the shape of today in that of native routes, with the status."""
    types = list(types)
    param = either(STRING, NULL) | {"description": "The field of the body that is wrong."}
    openai = _error_object({"code": {"enum": [*sorted(codes), None]}, "param": param}, types)
    return either(openai, _error(status, types))


def _anthropic_error(types: Iterable[str]) -> Schema:
    error = record({"message": STRING, "type": {"enum": sorted(types)}})
    return record({"type": {"const": "error"}, "error": error, "request_id": STRING})


def _anthropic_type(code: int) -> str:
    return told_in(ErrorForm.ANTHROPIC, HttpError(code, "", "")).type


def _status_in(form: ErrorForm, code: int) -> int:
    return told_in(form, HttpError(code, "", "")).status


def _error_object(own: Mapping[str, Schema], types: Iterable[str]) -> Schema:
    fields: dict[str, Schema] = {
        **own,
        "message": STRING,
        "type": {"enum": sorted(types)},
        "n_prompt_tokens": COUNT,
        "n_ctx": COUNT,
    }
    return record({"error": record(fields, optional=("n_prompt_tokens", "n_ctx"))})
