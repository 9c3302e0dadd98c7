"""POST /completion."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.native.completion.reply import CompletionReply
from rest_adapter.apis.native.completion.reply_2024 import Shape2024
from rest_adapter.apis.native.completion.reply_now import ShapeNow
from rest_adapter.apis.native.completion.request import (
    CompletionCall,
    read_completion,
    rename_fields,
    with_pictures,
)
from rest_adapter.apis.serving.generation import answer_generation
from rest_adapter.apis.serving.pictures import placed_pictures
from rest_adapter.apis.serving.reading import read_body

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer


def complete(context: AppContext) -> Answer:
    """Continue one or several prompts."""
    read = partial(read_completion, shape=context.shape, truncates=context.config.native_truncates)
    call = read_body(context, read, takes_pictures=True)
    if call.images:
        call = placed_pictures(context, call, with_pictures)
    return answer_completion(context, call)


def answer_completion(context: AppContext, call: CompletionCall) -> Answer:
    """Run the requests of a body of POST /completion or POST /infill and answer it."""
    is_now = context.shape is ApiShape.NOW
    shape = ShapeNow(call) if is_now else Shape2024(call, context.config.native_model)
    return answer_generation(
        context,
        call.requests,
        lambda: CompletionReply(call, shape),
        is_stream=call.is_stream,
        timeout_s=call.timeout_s,
        ping_s=call.extras.ping_s(context.config.native_ping_s),
        rename_fields=lambda failure: rename_fields(failure, call),
    )
