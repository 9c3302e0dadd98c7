"""The forms that bodies of errors have, one for each family of APIs; path and shape of a request decide which.

Native routes answer ``{"error": {"code": STATUS, "message", "type"}}``, OpenAI routes
``{"error": {"code": WORD or null, "message", "param": FIELD or null, "type"}}``, and Anthropic routes
``{"type": "error", "error": {"type", "message"}, "request_id"}``, with statuses and types of their own. In the shape
of today, OpenAI routes have the native form.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from slotline.protocol.reasons import N_CTX, N_PROMPT_TOKENS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_adapter.http.http_errors import HttpError


class ErrorForm(Enum):
    """Whose errors they look like. The value begins the names of such errors in the description of the API."""

    NATIVE = ""
    OPENAI = "OpenAI"
    ANTHROPIC = "Anthropic"


#: The types of errors of the Anthropic API, by status. What is not here is a mistake of the client's below 500, and a
#: failure of the server from there on.
ANTHROPIC_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    504: "timeout_error",
    529: "overloaded_error",
}
#: Its status for a server that has too much to do: with 429, clients would be told of limits of their own.
OVERLOADED = 529
_ANTHROPIC_PATH = "/v1/messages"
#: What is below them has the form of OpenAI's errors, too.
_OPENAI_PATHS = ("/v1", "/models", "/chat/completions", "/responses")


def error_form(path: str, shape: ApiShape = ApiShape.OF_2024) -> ErrorForm:
    """The form of errors of a path: that of OpenAI for all paths under /v1, but for those of the Anthropic API.

    The names of OpenAI's routes without /v1 have it, too; ``/completions`` and ``/embeddings`` are native routes.
    """
    if path == _ANTHROPIC_PATH or path.startswith(f"{_ANTHROPIC_PATH}/"):
        return ErrorForm.ANTHROPIC
    if shape is ApiShape.NOW:
        return ErrorForm.NATIVE
    if path in _OPENAI_PATHS or path.startswith(tuple(f"{known}/" for known in _OPENAI_PATHS)):
        return ErrorForm.OPENAI
    return ErrorForm.NATIVE


def told_in(form: ErrorForm, error: HttpError) -> HttpError:
    """The same error with the status and the type that it has in a form."""
    if form is not ErrorForm.ANTHROPIC:
        return error
    status = OVERLOADED if error.status == 429 else error.status
    return replace(error, status=status, type=_anthropic_type(status), message=_anthropic_message(error))


def error_body(form: ErrorForm, error: HttpError, request_id: str = "") -> dict[str, object]:
    """The JSON body; inside a stream, the data of the error event.

    Args:
        form: what it looks like.
        error: what happened.
        request_id: id of the request, which the Anthropic form repeats.
    """
    error = told_in(form, error)
    if form is ErrorForm.ANTHROPIC:
        told = {"message": error.message, "type": error.type}
        return {"type": "error", "error": told, "request_id": request_id}
    fields: dict[str, object] = {"code": error.status, "message": error.message, "type": error.type, **error.extra}
    if form is ErrorForm.OPENAI:
        fields |= {"code": error.code, "param": error.param}
    return {"error": fields}


def _anthropic_message(error: HttpError) -> str:
    """What happened. Clients that shorten their conversation when it is too long know that by these words alone."""
    facts = error.extra
    if error.type != "exceed_context_size_error" or not {N_PROMPT_TOKENS, N_CTX} <= facts.keys():
        return error.message
    return f"prompt is too long: {facts[N_PROMPT_TOKENS]} tokens > {facts[N_CTX]} maximum"


def _anthropic_type(status: int) -> str:
    return ANTHROPIC_TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")
