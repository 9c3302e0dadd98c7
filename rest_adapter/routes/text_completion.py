"""POST /v1/completions."""

from __future__ import annotations

import time

from flask import Response

from rest_adapter.body import read_body
from rest_adapter.core import DETOKENIZE, Core
from rest_adapter.errors import RpcFailure
from rest_adapter.routes.generation import answer_generation
from rest_adapter.routes.openai_ids import new_id
from rest_adapter.routes.site import Site
from rest_adapter.sse import DONE
from rest_adapter.translate.prompt import Part
from rest_adapter.translate.text_completion import in_json_terms, read_text_completion
from rest_adapter.translate.text_completion_reply import TextCompletionReply
from slotline.v1.tokenization_pb2 import DetokenizeRequest

_DETOKENIZE_TIMEOUT_S = 120.0


def complete_text(site: Site) -> Response:
    """Continue one or several prompts, in the OpenAI form."""
    call = read_text_completion(read_body())
    echoes = ["".join(_text(site.core, part) for part in parts) for parts in call.echoes()]
    try:
        return answer_generation(
            site,
            call.requests,
            TextCompletionReply(call, echoes, completion_id=new_id("cmpl"), created=int(time.time())),
            is_stream=call.is_stream,
            timeout_s=call.timeout_s,
            last=DONE if site.config.sse_done else b"",
        )
    except RpcFailure as failure:
        raise in_json_terms(failure) from failure


def _text(core: Core, part: Part) -> str:
    if isinstance(part, str):
        return part
    request = DetokenizeRequest(ids=part, skip_special=False)
    try:
        return core.unary(DETOKENIZE, request, timeout_s=_DETOKENIZE_TIMEOUT_S).text
    except RpcFailure as failure:
        raise failure.renamed(lambda _: "prompt") from failure
