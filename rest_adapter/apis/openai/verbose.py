"""``__verbose`` in answers of chats and text completions: the same answer as the native route gives it today.

It has the prompt as the model saw it, and the settings in force. Where a chat's answer is taken apart, its ``content``
is that of the message, without reasoning and calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.answer_now import answer_now
from rest_adapter.apis.common.fields import read_bool
from rest_adapter.apis.common.settings_now import Asked, settings_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_adapter.apis.common.extras import Extras
    from rest_adapter.apis.openai.choices import Choice
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import Accepted, GenerateRequest

VERBOSE = "verbose"
#: Its key in answers, and in the last chunk of an answer.
KEY = "__verbose"


def read_verbose(
    request: GenerateRequest,
    body: Mapping[str, object],
    shape: ApiShape,
    extras: Extras,
    *,
    is_server_verbose: bool,
    is_stream: bool,
    parts: Mapping[str, object],
) -> Asked | None:
    """What settings in it show that the core does not report; None if answers do not have it.

    Args:
        request: the message, whose output says all else; the core is asked for what is needed.
        body: the JSON body.
        shape: of answers; in that of 2024 only the body counts.
        extras: what the body asks for beside its answer.
        is_server_verbose: the server was started with ``--verbose``.
        is_stream: the answer is a stream.
        parts: what settings show of how the answer is taken apart.

    Raises:
        InvalidRequest: the field is neither true nor false.
    """
    value = body.get(VERBOSE)
    usual = is_server_verbose and shape is ApiShape.NOW
    if not (usual if value is None else read_bool(VERBOSE, value)):
        return None
    output = request.output
    output.prompt_text = True
    n_probs = output.top_logprobs or output.n_probs
    return Asked(is_stream=is_stream, timings_per_token=extras.tells_times, n_probs=n_probs, parts=parts)


def with_verbose(answer: JsonObject, accepted: Accepted, choice: Choice, asked: Asked | None) -> JsonObject:
    """An answer, or the last chunk of one, with it if it is wanted.

    Args:
        answer: what the client gets.
        accepted: where the choice ran.
        choice: what it is about.
        asked: as ``read_verbose`` gives it.
    """
    if asked is None:
        return answer
    end = choice.end()
    settings = settings_now(end.settings, asked)
    return answer | {
        KEY: answer_now(accepted, end, index=choice.index, settings=settings, content="".join(choice.texts))
    }
