"""POST /v1/chat/completions."""

from __future__ import annotations

import time
from functools import partial

from flask import Response

from rest_adapter.routes.generation import answer_generation
from rest_adapter.routes.openai_ids import new_id
from rest_adapter.routes.reading import understood
from rest_adapter.routes.site import Site
from rest_adapter.sse import DONE
from rest_adapter.translate.chat import in_json_terms, read_chat
from rest_adapter.translate.chat_reply import ChatReply


def chat(site: Site) -> Response:
    """Answer a conversation, in the OpenAI form."""
    call = understood(site, partial(read_chat, truncates=site.config.openai_truncates))
    return answer_generation(
        site,
        (call.request,),
        lambda: ChatReply(call, completion_id=new_id("chatcmpl"), created=int(time.time())),
        is_stream=call.is_stream,
        timeout_s=call.timeout_s,
        ping_s=site.config.openai_ping_s,
        in_json_terms=lambda failure: in_json_terms(failure, call),
        last=DONE if site.config.sse_done else b"",
    )
