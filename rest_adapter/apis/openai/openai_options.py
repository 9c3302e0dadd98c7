"""Fields that chat and text completions of the OpenAI API share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_flag, read_object, read_str, refusal
from rest_adapter.apis.common.model_name import name_in_answers
from rest_adapter.errors import UNSUPPORTED, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Most tokens that are told at each position, of the most probable ones.
MAX_TOP_LOGPROBS = 20

#: The fields that offer tools, those that say whether to call one, and what to send instead.
_TOOLS = ("tools", "tool_choice", "leave it out")
_FUNCTIONS = ("functions", "function_call", "leave it out")
_FUNCTIONS_OF_CHATS = ("functions", "function_call", "send tools")


def refuse_tools(body: Mapping[str, object]) -> None:
    """Refuse tools and functions, unless the body says that none may be called: then the answer is as without them.

    Raises:
        InvalidRequest: the body offers tools, or demands that one is called.
    """
    for fields in (_TOOLS, _FUNCTIONS):
        _refuse(body, *fields)


def refuse_functions(body: Mapping[str, object]) -> None:
    """The same for functions alone, which are what chats had before there were tools.

    Their answers have another form, of one call without an id, and so do the turns of a conversation.
    """
    _refuse(body, *_FUNCTIONS_OF_CHATS)


def _refuse(body: Mapping[str, object], tools: str, choice: str, advice: str) -> None:
    wanted = body.get(choice)
    if body.get(tools) and wanted != "none":
        raise InvalidRequest(tools, f'is not supported; {advice}, or send "none" as {choice}', UNSUPPORTED)
    if wanted not in (None, "none", "auto"):
        raise refusal(choice, wanted, f'"none" or "auto"; {tools} are not supported', UNSUPPORTED)


def read_model(body: Mapping[str, object]) -> str:
    """What answers call the model: the name in the body, or "" for its name in the core."""
    model = body.get("model")
    return "" if model is None else name_in_answers(read_str("model", model))


def read_include_usage(body: Mapping[str, object]) -> bool:
    """Whether a stream ends with a chunk that counts tokens."""
    value = body.get("stream_options")
    if value is None:
        return False
    options = read_object("stream_options", value)
    if read_flag(options, "continuous_usage_stats", "stream_options."):
        raise InvalidRequest(
            "stream_options.continuous_usage_stats", "true is not supported; allowed is include_usage", UNSUPPORTED
        )
    return read_flag(options, "include_usage", "stream_options.")
