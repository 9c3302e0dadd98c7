"""The options of chats, and their fields about tools and reasoning, in OpenAPI: in bodies and in answers."""

from __future__ import annotations

from rest_adapter.apis.common.api_option_schema import api_options
from rest_adapter.apis.common.chat_defaults import NO_EFFORT
from rest_adapter.apis.openai.chat.reasoning import BUDGET_BOUNDS, BUDGETS, FORMATS, NO_BUDGET
from rest_adapter.apis.openai.chat.tools import MODES, MODES_OF_ALLOWED
from rest_adapter.openapi.schema_types import (
    BOOLEAN,
    COUNT,
    STRING,
    Schema,
    array,
    body,
    either,
    integer,
    nullable,
    option,
    record,
)
from slotline.options import max_items

_NAME: Schema = {**STRING, "minLength": 1}
_FUNCTION: Schema = {"const": "function"}
#: A tool by its name alone.
_NAMED = record({"type": _FUNCTION, "function": record({"name": _NAME})})


def conversation_options() -> dict[str, Schema]:
    """The options of /completion, with what is different for conversations."""
    options = api_options()
    options["penalty_prompt"] |= {"default": []}
    # One more is added for models that do not know the end of their turn.
    options["stop"] |= nullable(either(STRING, array(STRING, maxItems=max_items("stop") - 1)))
    return options


def tool_fields() -> dict[str, Schema]:
    """The fields of a body about tools."""
    function = body(
        {
            "name": _NAME | {"description": "Unlike those of the other tools."},
            "description": option(STRING, "What it does, for the model."),
            "parameters": option({"type": "object"}, "JSON Schema of the arguments; none without it."),
            "strict": option(
                BOOLEAN,
                "Refuse parameters that cannot be enforced in full. Otherwise what cannot be is left out.",
                default=False,
            ),
        },
        required=("name",),
    )
    allowed = record({"mode": {"enum": list(MODES_OF_ALLOWED)}, "tools": array(_NAMED, minItems=1)})
    choice = either(
        {"enum": list(MODES)}, _NAMED, record({"type": {"const": "allowed_tools"}, "allowed_tools": allowed})
    )
    return {
        "tools": option(
            array(record({"type": _FUNCTION, "function": function})),
            "Functions that the answer may call. Calls name one of them, and have arguments that obey its parameters.",
            default=[],
        ),
        "tool_choice": option(
            choice,
            "Whether to call tools: none shows them to the model without that, auto leaves it to the model, required "
            "makes sure of a call. An object names the tool to call, once unless parallel_tool_calls is true, or those "
            "that may be called.",
            default="auto",
        ),
        "parallel_tool_calls": option(BOOLEAN, "Whether an answer may make several calls.", default=True),
    }


def reasoning_fields() -> dict[str, Schema]:
    """The fields of a body about reasoning."""
    effort = _NAME | {"examples": [NO_EFFORT, "low", "medium", "high"]}
    return {
        "reasoning_format": option(
            {"enum": list(FORMATS)},
            "Where reasoning goes: none leaves it in the content, auto and deepseek put it into reasoning_content, "
            "deepseek-legacy does both. Without it and --reasoning-format, auto if the body has tools to call or other "
            "fields about reasoning, none otherwise.",
        ),
        "include_reasoning": option(BOOLEAN, "False leaves reasoning out of the answer.", default=True),
        "enable_thinking": option(
            BOOLEAN, "Whether to think, for models whose template has a switch for that; by default as it says."
        ),
        "reasoning_effort": option(
            effort, f"{NO_EFFORT} is enable_thinking false; other words are for the model's template."
        ),
        **{
            name: option(
                integer(BUDGET_BOUNDS),
                f"Tokens of reasoning after which it is closed and the answer begins; {NO_BUDGET} is no limit.",
                default=NO_BUDGET,
            )
            for name in BUDGETS
        },
        "reasoning_budget_message": option(
            STRING, "Text that ends reasoning whose budget is used up; of use with a budget.", default=""
        ),
    }


def template_variables() -> Schema:
    """The field ``chat_template_kwargs``, in which templates that can turn reasoning off find out whether to."""
    switch = {"type": "object", "properties": {"enable_thinking": nullable(BOOLEAN)}}
    return option(switch, "Further variables for the model's template.")


def call_of_history() -> Schema:
    """A tool call in a message of the conversation."""
    arguments = either(STRING, {"type": "object"}) | {"description": "An object, usually as JSON text."}
    function = body({"name": _NAME, "arguments": arguments}, required=("name",))
    return record({"id": nullable(STRING), "type": _FUNCTION, "function": function}, optional=("id", "type"))


def parts_of_message() -> dict[str, Schema]:
    """What the message of an answer may have beside its content."""
    call = record({"id": STRING, "type": _FUNCTION, "function": record({"name": STRING, "arguments": STRING})})
    return {"reasoning_content": STRING, "tool_calls": array(call, minItems=1)}


def parts_of_delta() -> dict[str, Schema]:
    """What a chunk may have in place of content: reasoning, or the beginning or more of a call."""
    call = record(
        {
            "index": COUNT,
            "id": STRING,
            "type": _FUNCTION,
            "function": record({"name": STRING, "arguments": STRING}, optional=("name",)),
        },
        optional=("id", "type"),
    )
    return {"reasoning_content": STRING, "tool_calls": array(call, minItems=1, maxItems=1)}
