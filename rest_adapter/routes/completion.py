"""POST /completion."""

from __future__ import annotations

from flask import Response

from rest_adapter.body import read_body
from rest_adapter.routes.generation import answer_generation
from rest_adapter.routes.site import Site
from rest_adapter.translate.completion import CompletionReply, read_completion


def complete(site: Site) -> Response:
    """Continue one or several prompts, in the native form."""
    call = read_completion(read_body())
    return answer_generation(
        site, call.requests, CompletionReply(call), is_stream=call.is_stream, timeout_s=call.timeout_s
    )
