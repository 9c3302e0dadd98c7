"""What all conversations need before they are sent to the core, whichever API they came by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.fields import read_object
from rest_adapter.json.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from rest_adapter.apis.common.chat_defaults import ChatDefaults
    from slotline.v1.generation_pb2 import GenerateRequest
    from slotline.v1.prompt_pb2 import ChatMessage, ChatPrompt

#: Models that were tuned on this marker but do not declare it as an end of generation write it out as text.
_CHATML_END = "<|im_end|>"


def text_of(message: ChatMessage) -> str:
    """All of a message's text."""
    return "".join(part.text for part in message.content)


def end_at_marker(request: GenerateRequest) -> None:
    """End answers where the model writes out the end of its turn."""
    request.stop.texts.append(_CHATML_END)


def read_template_variables(
    chat: ChatPrompt, body: Mapping[str, object], shape: ApiShape, today: date | None, defaults: ChatDefaults
) -> None:
    """Read the field ``chat_template_kwargs``, behind all that the body says of thinking.

    In the shape of today templates get what llama.cpp's server gives all of them, too, unless the body sets it: the
    date, and leave to think.

    Args:
        chat: gets the variables.
        body: the JSON body.
        shape: whose variables count.
        today: the date; None for none of these.
        defaults: the server's, which go before those, and behind the field.

    Raises:
        InvalidRequest: it is no object.
    """
    value = body.get("chat_template_kwargs")
    given = {} if value is None else read_object("chat_template_kwargs", value)
    variables: dict[str, object] = {}
    if shape is ApiShape.NOW and today is not None:
        variables |= {"date_string": f"{today:%d %b %Y}", "datetime": f"{today:%b %d %Y}"}
        if not chat.reasoning.HasField("enabled"):
            variables["enable_thinking"] = True
    variables |= defaults.variables_with(chat.reasoning) | given
    if variables or value is not None:
        chat.template_kwargs_json = encode(variables).decode()


def put_template_variables(chat: ChatPrompt, defaults: ChatDefaults) -> None:
    """Give the template the server's variables, behind all that the body says of thinking; it has no field for more."""
    if variables := defaults.variables_with(chat.reasoning):
        chat.template_kwargs_json = encode(variables).decode()


def penalize_answer_only(request: GenerateRequest) -> None:
    """Let penalties look at nothing but the answer, with what a continued message has of it."""
    # The prompt holds the template's markers. If the end of a turn is penalised, the model does not end its turn.
    history = request.sampling.penalty_prompt
    if request.chat.continue_final_message:
        history.text = text_of(request.chat.messages[-1])
    else:
        history.token_ids.SetInParent()
