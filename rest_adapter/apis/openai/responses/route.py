"""POST /v1/responses and /v1/responses/input_tokens."""

from __future__ import annotations

import time
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from rest_adapter.apis.openai.responses.output import new_response_id
from rest_adapter.apis.openai.responses.paths import rename_fields
from rest_adapter.apis.openai.responses.reply import ResponsesReply
from rest_adapter.apis.openai.responses.request import read_response
from rest_adapter.apis.serving.counting import count_prompt_tokens
from rest_adapter.apis.serving.generation import answer_generation
from rest_adapter.apis.serving.pictures import fetch_pictures
from rest_adapter.apis.serving.reading import read_body
from rest_adapter.apis.serving.sse import EventForm, named_event
from rest_adapter.http.responses import json_response

if TYPE_CHECKING:
    from rest_adapter.apis.openai.responses.request import ResponseCall
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer


def respond(context: AppContext) -> Answer:
    """Answer an input."""
    call = _read(context)
    reply = ResponsesReply(call, response_id=new_response_id(), created=int(time.time()))
    return answer_generation(
        context,
        (call.request,),
        lambda: reply,
        is_stream=call.is_stream,
        timeout_s=call.timeout_s,
        ping_s=call.extras.ping_s(context.config.openai_ping_s),
        rename_fields=lambda failure: rename_fields(failure, call),
        events=EventForm(reply.failed, named_event),
    )


def count_input_tokens(context: AppContext) -> Answer:
    """Count the tokens of an input."""
    call = _read(context)
    n_tokens = count_prompt_tokens(context, call.request, lambda failure: rename_fields(failure, call))
    return json_response({"input_tokens": n_tokens, "object": "response.input_tokens"})


def _read(context: AppContext) -> ResponseCall:
    read = partial(
        read_response,
        truncates=context.config.openai_truncates,
        defaults=context.chat_defaults,
        shape=context.shape,
        today=date.today(),
    )
    call = read_body(context, read, takes_pictures=True)
    fetch_pictures(context, call.turns.pictures)
    return call
