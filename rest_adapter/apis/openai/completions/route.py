"""POST /v1/completions."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from flask import request

from rest_adapter.apis.common.prompt import Prompt
from rest_adapter.apis.openai.completions.reply import TextCompletionReply
from rest_adapter.apis.openai.completions.request import TextCompletionCall, read_text_completion, rename_fields
from rest_adapter.apis.openai.openai_ids import new_id
from rest_adapter.apis.serving.generation import answer_generation
from rest_adapter.apis.serving.reading import read_body
from rest_adapter.apis.serving.sse import DONE, plain_events
from rest_adapter.core.calls import DETOKENIZE, CoreCalls
from rest_adapter.errors import RpcFailure
from rest_adapter.http.disconnect import SOCKET_KEY, DisconnectWatch
from slotline.v1.tokenization_pb2 import DetokenizeRequest

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer

_DETOKENIZE_TIMEOUT_S = 120.0
#: Echoes that the core is asked for at the same time, because a body may hold thousands of prompts.
_ECHOES_AT_ONCE = 32

_PromptIds = tuple[Prompt, tuple[int, ...]]


def complete_text(context: AppContext) -> Answer:
    """Continue one or several prompts."""
    config = context.config
    read = partial(
        read_text_completion,
        truncates=config.openai_truncates,
        shape=context.shape,
        is_server_verbose=config.verbose,
    )
    call = read_body(context, read)

    def make_reply() -> TextCompletionReply:
        return TextCompletionReply(
            call, _echoes(context.core, call), completion_id=new_id("cmpl"), created=int(time.time())
        )

    return answer_generation(
        context,
        call.requests,
        make_reply,
        is_stream=call.is_stream,
        timeout_s=call.timeout_s,
        ping_s=call.extras.ping_s(context.config.openai_ping_s),
        rename_fields=lambda failure: rename_fields(failure, call),
        events=plain_events(context.error_form, DONE if context.config.sse_done else b""),
    )


def _echoes(core: CoreCalls, call: TextCompletionCall) -> list[str]:
    """The text that precedes the answers to each prompt."""
    ids = call.echoed_ids()
    texts = iter(
        text
        for start in range(0, len(ids), _ECHOES_AT_ONCE)
        for text in _texts(core, ids[start : start + _ECHOES_AT_ONCE])
    )
    return ["".join(part if isinstance(part, str) else next(texts) for part in parts) for parts in call.echoes()]


def _texts(core: CoreCalls, ids: list[_PromptIds]) -> list[str]:
    """The texts of runs of token ids, in concurrent calls."""
    with ExitStack() as cleanup:
        pending = []
        for _, tokens in ids:
            message = DetokenizeRequest(ids=tokens, skip_special=False)
            pending.append(core.start(DETOKENIZE, message, timeout_s=_DETOKENIZE_TIMEOUT_S))
            cleanup.callback(pending[-1].close)

        def abandon() -> None:
            for answer in pending:
                answer.close()

        cleanup.enter_context(DisconnectWatch(request.environ.get(SOCKET_KEY), abandon))
        texts = []
        for (prompt, _), answer in zip(ids, pending, strict=True):
            try:
                texts.append(answer.wait().text)
            except RpcFailure as failure:
                raise failure.renamed(prompt.path_of_echo) from failure
        return texts
