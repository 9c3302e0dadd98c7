"""``__verbose`` in answers of chats and text completions: the same answer as the native route gives it today.

It has the prompt as the model saw it, and the settings in force. Where a chat's answer is taken apart, its ``content``
is that of the message, without reasoning and calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.answer_now import answer_now
from rest_adapter.apis.common.fields import read_bool
from rest_adapter.apis.common.settings_now import settings_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_adapter.apis.common.settings_now import Asked
    from rest_adapter.apis.openai.choices import Choice
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import Accepted, GenerateRequest

VERBOSE = "verbose"
#: Its key in answers, and in the last chunk of an answer.
KEY = "__verbose"


def read_verbose(
    request: GenerateRequest, body: Mapping[str, object], shape: ApiShape, *, is_server_verbose: bool
) -> bool:
    """Whether answers have it, and ask the core for what it needs.

    Args:
        request: the message.
        body: the JSON body.
        shape: of answers; in that of 2024 only the body counts.
        is_server_verbose: the server was started with ``--verbose``.

    Raises:
        InvalidRequest: the field is neither true nor false.
    """
    value = body.get(VERBOSE)
    usual = is_server_verbose and shape is ApiShape.NOW
    is_verbose = usual if value is None else read_bool(VERBOSE, value)
    if is_verbose:
        request.output.prompt_text = True
    return is_verbose


def with_verbose(answer: JsonObject, accepted: Accepted, choice: Choice, asked: Asked) -> JsonObject:
    """An answer, or the last chunk of one, with it.

    Args:
        answer: what the client gets.
        accepted: where the choice ran.
        choice: what it is about.
        asked: what the body asks for.
    """
    end = choice.end()
    settings = settings_now(end.settings, asked)
    return answer | {
        KEY: answer_now(accepted, end, index=choice.index, settings=settings, content="".join(choice.texts))
    }
