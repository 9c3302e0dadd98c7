"""POST /v1/chat/completions, what its body would be as a prompt, and how many tokens that has."""

from __future__ import annotations

import time
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from rest_adapter.apis.common.api_defaults import usual_reasoning_format
from rest_adapter.apis.openai.chat.parsed_reply import ParsedChatReply
from rest_adapter.apis.openai.chat.reply import ChatReply
from rest_adapter.apis.openai.chat.request import read_chat, rename_fields
from rest_adapter.apis.openai.openai_ids import new_id
from rest_adapter.apis.serving.counting import count_prompt_tokens
from rest_adapter.apis.serving.generation import answer_generation
from rest_adapter.apis.serving.pictures import fetch_pictures
from rest_adapter.apis.serving.reading import read_body
from rest_adapter.apis.serving.sse import DONE, plain_events
from rest_adapter.apis.serving.unary import call_for_client
from rest_adapter.core.calls import APPLY_TEMPLATE
from rest_adapter.errors import RpcFailure
from rest_adapter.http.responses import json_response, long_json_response
from rest_adapter.json.encoding import encode_in_pieces
from slotline.v1.model_pb2 import ApplyTemplateRequest

if TYPE_CHECKING:
    from rest_adapter.apis.openai.chat.request import ChatCall
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer

#: Seconds. The largest conversation takes a few to render.
_TEMPLATE_TIMEOUT_S = 120.0


def chat(context: AppContext) -> Answer:
    """Answer a conversation."""
    config = context.config
    call = _read(context)
    reply = ParsedChatReply if call.reasoning.is_parsed else ChatReply
    return answer_generation(
        context,
        (call.request,),
        lambda: reply(call, completion_id=new_id("chatcmpl"), created=int(time.time())),
        is_stream=call.is_stream,
        timeout_s=call.timeout_s,
        ping_s=call.extras.ping_s(config.openai_ping_s),
        rename_fields=lambda failure: rename_fields(failure, call),
        events=plain_events(context.error_form, DONE if config.sse_done else b""),
    )


def count_chat_tokens(context: AppContext) -> Answer:
    """Count the tokens of a conversation."""
    call = _read(context)
    n_tokens = count_prompt_tokens(context, call.request, lambda failure: rename_fields(failure, call))
    return json_response({"input_tokens": n_tokens, "object": "response.input_tokens"})


def apply_template(context: AppContext) -> Answer:
    """A conversation as the text that would be the prompt."""
    call = _read(context)
    asked = ApplyTemplateRequest(chat=call.request.chat)
    try:
        text = call_for_client(context, APPLY_TEMPLATE, asked, timeout_s=_TEMPLATE_TIMEOUT_S).text
    except RpcFailure as failure:
        raise rename_fields(failure, call) from failure
    return long_json_response(context.writing.run(lambda: list(encode_in_pieces({"prompt": text}))))


def _read(context: AppContext) -> ChatCall:
    config = context.config
    read = partial(
        read_chat,
        truncates=config.openai_truncates,
        reasoning_format=config.reasoning_format or usual_reasoning_format(context.shape),
        defaults=context.chat_defaults,
        shape=context.shape,
        is_server_verbose=config.verbose,
        today=date.today(),
    )
    call = read_body(context, read, takes_pictures=True)
    fetch_pictures(context, call.pictures)
    return call
