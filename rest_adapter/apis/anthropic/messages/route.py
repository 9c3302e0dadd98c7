"""POST /v1/messages and POST /v1/messages/count_tokens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rest_adapter.apis.anthropic.messages.reply import MessagesReply
from rest_adapter.apis.anthropic.messages.request import read_messages
from rest_adapter.apis.serving.counting import count_prompt_tokens
from rest_adapter.apis.serving.generation import answer_generation
from rest_adapter.apis.serving.pictures import fetch_pictures
from rest_adapter.apis.serving.reading import read_body
from rest_adapter.apis.serving.sse import EventForm, named_event
from rest_adapter.http.error_forms import ErrorForm, error_body
from rest_adapter.http.random_ids import random_letters
from rest_adapter.http.request_ids import request_id
from rest_adapter.http.responses import Answer, json_response

if TYPE_CHECKING:
    from rest_adapter.apis.anthropic.messages.request import MessagesCall
    from rest_adapter.apis.serving.app_context import AppContext

_PING = named_event({"type": "ping"})
_ID_LENGTH = 24


def messages(context: AppContext) -> Answer:
    """Answer a conversation."""
    call = _read(context)
    return answer_generation(
        context,
        (call.request,),
        lambda: MessagesReply(call, message_id=f"msg_{random_letters(_ID_LENGTH)}"),
        is_stream=call.is_stream,
        timeout_s=call.timeout_s,
        ping_s=call.extras.ping_s(context.config.openai_ping_s),
        rename_fields=call.places.renamed,
        events=EventForm(partial(error_body, ErrorForm.ANTHROPIC, request_id=request_id()), named_event, _PING),
    )


def count_tokens(context: AppContext) -> Answer:
    """How many tokens a conversation has as a prompt."""
    call = _read(context)
    return json_response({"input_tokens": count_prompt_tokens(context, call.request, call.places.renamed)})


def _read(context: AppContext) -> MessagesCall:
    truncates = context.config.openai_truncates
    read = partial(read_messages, truncates=truncates, defaults=context.chat_defaults, shape=context.shape)
    call = read_body(context, read, takes_pictures=True)
    fetch_pictures(context, call.places.pictures)
    return call
