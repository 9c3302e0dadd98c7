"""How many tokens a conversation has as a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.serving.unary import call_for_client
from rest_adapter.core.calls import TOKENIZE
from rest_adapter.errors import RpcFailure
from slotline.v1.tokenization_pb2 import TokenizeRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_adapter.apis.serving.app_context import AppContext
    from slotline.v1.generation_pb2 import GenerateRequest

#: Seconds. The largest body takes about 20 to tokenise.
_TIMEOUT_S = 120.0


def count_prompt_tokens(
    context: AppContext, asked: GenerateRequest, rename_fields: Callable[[RpcFailure], RpcFailure]
) -> int:
    """The tokens of a conversation, as answering it would count them. The call is cancelled if the client leaves.

    Args:
        context: what the routes share.
        asked: the request for an answer.
        rename_fields: makes a failure name the fields of the body.

    Raises:
        RpcFailure: the core refused or failed.
    """
    message = TokenizeRequest(chat=asked.chat, add_special=True)
    if asked.HasField("parse_special"):
        message.parse_special = asked.parse_special
    try:
        return call_for_client(context, TOKENIZE, message, timeout_s=_TIMEOUT_S).count
    except RpcFailure as failure:
        raise rename_fields(failure) from failure
