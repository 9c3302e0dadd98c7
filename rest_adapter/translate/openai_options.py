"""Fields that chat and text completions share in the OpenAI form."""

from __future__ import annotations

from collections.abc import Mapping

from rest_adapter.errors import UNSUPPORTED, InvalidRequest
from rest_adapter.translate.fields import read_bool, read_int, read_object, read_str, refusal
from rest_adapter.translate.jsontext import encode
from slotline.v1.generation_pb2 import GenerateRequest

# What answers call a model that the request did not name.
UNNAMED_MODEL = "unknown"
MAX_CHOICES = 128

_TOOL_FIELDS = ("tools", "functions")
_TOOL_CHOICES = ("tool_choice", "function_call")
_LIMITS = ("max_completion_tokens", "max_tokens")


def refuse_unsupported(body: Mapping[str, object]) -> None:
    """Refuse what would change the answer. What is only a hint, or for the records, is ignored.

    Raises:
        InvalidRequest: the body asks for tools, for a search, or for other answers than text.
    """
    for name in _TOOL_FIELDS:
        if body.get(name):
            raise InvalidRequest(name, "is not supported; leave it out", UNSUPPORTED)
    for name in _TOOL_CHOICES:
        if body.get(name) not in (None, "none", "auto"):
            raise refusal(name, body[name], '"none" or "auto"; tools are not supported')
    if body.get("modalities") not in (None, [], ["text"]):
        raise refusal("modalities", body["modalities"], '["text"]')
    # Without any options it asks for a search, too.
    if body.get("web_search_options") is not None:
        raise InvalidRequest("web_search_options", "is not supported; leave it out", UNSUPPORTED)


def set_openai_defaults(request: GenerateRequest) -> None:
    """The sampling defaults that the OpenAI API defines; all others are the native ones."""
    request.sampling.temperature = 1.0
    request.sampling.top_p = 1.0


def read_max_tokens(request: GenerateRequest, body: Mapping[str, object], default: int | None = None) -> None:
    """The token limit; a negative one is none.

    Args:
        request: it has the native limit already.
        body: the JSON body.
        default: the limit if the body has none, not even the native one; None for no limit.
    """
    for name in _LIMITS:
        value = body.get(name)
        if value is not None:
            limit = read_int(name, value)
            if limit >= 0:
                request.stop.max_tokens = limit
            else:
                request.stop.ClearField("max_tokens")
            return
    if default is not None and body.get("n_predict") is None:
        request.stop.max_tokens = default


def read_n(request: GenerateRequest, body: Mapping[str, object]) -> int:
    """The number of answers per prompt."""
    value = body.get("n")
    n_choices = 1 if value is None else read_int("n", value, (1, MAX_CHOICES))
    if n_choices > 1:
        request.num_sequences = n_choices
    return n_choices


def read_response_format(request: GenerateRequest, value: object) -> None:
    """The form that the answer must have.

    Args:
        request: it has the grammar already.
        value: the field of the body.
    """
    if value is None:
        return
    kind = read_object("response_format", value).get("type")
    match kind:
        case "text":
            pass
        case "json_object":
            _refuse_grammar(request)
            request.constraint.json_object.SetInParent()
        case "json_schema":
            _refuse_grammar(request)
            schema = _schema(value)
            request.constraint.json_schema = encode(schema).decode()
        case _:
            raise refusal("response_format.type", kind, '"text", "json_object" or "json_schema"')


def read_model(body: Mapping[str, object]) -> str:
    """The model's name as the client wrote it."""
    model = body.get("model")
    return UNNAMED_MODEL if model is None else read_str("model", model)


def read_include_usage(body: Mapping[str, object]) -> bool:
    """Whether a stream ends with a chunk that counts tokens."""
    value = body.get("stream_options")
    return value is not None and read_flag(read_object("stream_options", value), "include_usage", "stream_options.")


def read_flag(fields: Mapping[str, object], name: str, prefix: str = "") -> bool:
    """A boolean that is false if it is missing. ``prefix`` stands before its name in errors."""
    value = fields.get(name)
    return value is not None and read_bool(prefix + name, value)


def _refuse_grammar(request: GenerateRequest) -> None:
    if request.constraint.WhichOneof("kind") is not None:
        raise InvalidRequest("response_format", "is not allowed together with grammar; send one of them")


def _schema(value: object) -> dict[str, object]:
    path = "response_format.json_schema"
    wrapper = read_object(path, read_object("response_format", value).get("json_schema"))
    return read_object(f"{path}.schema", wrapper.get("schema"))
