"""POST /v1/chat/completions: from the OpenAI form to a request. ``chat_reply`` has the way back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rest_adapter.errors import InvalidRequest
from rest_adapter.translate.fields import (
    read_bool,
    read_int,
    read_list,
    read_object,
    read_str,
    refusal,
)
from rest_adapter.translate.jsontext import encode
from rest_adapter.translate.options import apply_options, read_timeout_s
from slotline.v1.generation_pb2 import OVERFLOW_TRUNCATE, GenerateRequest
from slotline.v1.prompt_pb2 import ChatMessage, ChatPrompt

# What answers call a model that the request did not name.
UNNAMED_MODEL = "unknown"
MAX_CHOICES = 128
MAX_TOP_LOGPROBS = 20
# Models that were tuned on this marker but do not declare it as an end of generation write it out as text.
_CHATML_END = "<|im_end|>"
_TOOL_FIELDS = ("tools", "functions")


@dataclass(frozen=True, slots=True)
class ChatCall:
    """A body of POST /v1/chat/completions, understood.

    Attributes:
        model: the model's name as the client wrote it; answers repeat it, whatever is served.
        is_stream: the answer is a stream of chunks.
        includes_usage: the stream ends with a chunk that counts tokens.
        wants_logprobs: tokens come with their log-probabilities.
        n_choices: number of answers.
        timeout_s: seconds that the whole generation may take, or None.
    """

    request: GenerateRequest
    model: str
    is_stream: bool
    includes_usage: bool
    wants_logprobs: bool
    n_choices: int
    timeout_s: float | None


def read_chat(body: Mapping[str, object]) -> ChatCall:
    """Understand a body. Every option of /completion works here, too, but for the system prompt of all slots.

    Raises:
        InvalidRequest: a field has a value that is not allowed, or asks for what is not supported.
    """
    for name in _TOOL_FIELDS:
        if body.get(name):
            raise InvalidRequest(name, "is not supported; leave it out")
    request = GenerateRequest(overflow=OVERFLOW_TRUNCATE)
    # The OpenAI API defines these defaults; all others are the native ones.
    request.sampling.temperature = 1.0
    request.sampling.top_p = 1.0
    if "penalty_prompt" not in body:
        # The prompt holds the template's markers; a model whose end of turn is penalised does not end its turn.
        request.sampling.penalty_prompt.token_ids.SetInParent()
    # The system message is part of the conversation; a key meant for the other routes is left out.
    apply_options(request, {name: value for name, value in body.items() if name != "system_prompt"})
    _read_max_tokens(request, body)
    request.stop.texts.append(_CHATML_END)
    n_choices = _read_n(request, body)
    _read_response_format(request, body.get("response_format"))
    _read_messages(request.chat, body.get("messages"))
    model = body.get("model")
    return ChatCall(
        request=request,
        model=UNNAMED_MODEL if model is None else read_str("model", model),
        is_stream=_flag(body, "stream"),
        includes_usage=_read_include_usage(body.get("stream_options")),
        wants_logprobs=_read_logprobs(request, body),
        n_choices=n_choices,
        timeout_s=read_timeout_s(body),
    )


def _read_messages(chat: ChatPrompt, value: object) -> None:
    messages = read_list("messages", value, "objects with role and content")
    if not messages:
        raise InvalidRequest("messages", "[] is empty; at least one message is needed")
    for i, message in enumerate(messages):
        name = f"messages[{i}]"
        _read_message(chat.messages.add(), name, read_object(name, message))


def _read_message(target: ChatMessage, name: str, message: dict[str, object]) -> None:
    role, content = message.get("role"), message.get("content")
    target.role = "" if role is None else read_str(f"{name}.role", role)
    if isinstance(content, list):
        for i, part in enumerate(content):
            target.content.add(text=_read_text_part(f"{name}.content[{i}]", part))
    elif content is not None:
        target.content.add(text=_read_content(f"{name}.content", content))
    if message.get("name") is not None:
        target.name = read_str(f"{name}.name", message["name"])
    if message.get("tool_call_id") is not None:
        target.tool_call_id = read_str(f"{name}.tool_call_id", message["tool_call_id"])
    if message.get("tool_calls"):
        calls = read_list(f"{name}.tool_calls", message["tool_calls"], "tool calls")
        target.tool_calls_json = encode(calls).decode()


def _read_content(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise refusal(name, value, "a string or an array of text parts")


def _read_text_part(name: str, part: object) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("type") == "text":
        return read_str(f"{name}.text", part.get("text"))
    raise refusal(name, part, 'a text part, {"type":"text","text":"..."}')


def _read_max_tokens(request: GenerateRequest, body: Mapping[str, object]) -> None:
    for name in ("max_completion_tokens", "max_tokens"):
        value = body.get(name)
        if value is not None:
            limit = read_int(name, value)
            if limit >= 0:
                request.stop.max_tokens = limit
            else:
                request.stop.ClearField("max_tokens")
            return


def _read_n(request: GenerateRequest, body: Mapping[str, object]) -> int:
    value = body.get("n")
    n_choices = 1 if value is None else read_int("n", value, (1, MAX_CHOICES))
    if n_choices > 1:
        request.num_sequences = n_choices
    return n_choices


def _read_logprobs(request: GenerateRequest, body: Mapping[str, object]) -> bool:
    wants, top = _flag(body, "logprobs"), body.get("top_logprobs")
    if wants:
        request.output.top_logprobs = 0 if top is None else read_int("top_logprobs", top, (0, MAX_TOP_LOGPROBS))
    elif top:
        raise refusal("top_logprobs", top, "allowed unless logprobs is true")
    return wants


def _read_response_format(request: GenerateRequest, value: object) -> None:
    if value is None:
        return
    kind = read_object("response_format", value).get("type")
    match kind:
        case "text":
            pass
        case "json_object":
            request.constraint.json_object.SetInParent()
        case "json_schema":
            schema = _schema(value)
            request.constraint.json_schema = encode(schema).decode()
        case _:
            raise refusal("response_format.type", kind, '"text", "json_object" or "json_schema"')


def _schema(value: object) -> dict[str, object]:
    path = "response_format.json_schema"
    wrapper = read_object(path, read_object("response_format", value).get("json_schema"))
    return read_object(f"{path}.schema", wrapper.get("schema"))


def _read_include_usage(value: object) -> bool:
    return value is not None and _flag(read_object("stream_options", value), "include_usage", "stream_options.")


def _flag(fields: Mapping[str, object], name: str, prefix: str = "") -> bool:
    value = fields.get(name)
    return value is not None and read_bool(prefix + name, value)
