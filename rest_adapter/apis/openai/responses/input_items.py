"""The items of an input: what was said, thought and called so far, and what tools gave."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from rest_adapter.apis.common.pictures import IMAGE_URL

_Word = Annotated[str, Meta(min_length=1)]


class Message(Struct):
    """What somebody said."""

    role: Literal["user", "assistant", "system", "developer"]
    content: Annotated[
        str | list[dict[str, Any]],
        Meta(description="The text, or its parts: input_text, input_image, output_text, refusal."),
    ]
    type: Literal["message"] | None = None


class FunctionCall(Struct):
    """A call of a function that the assistant made."""

    type: Literal["function_call"]
    call_id: _Word
    name: _Word
    arguments: Annotated[str, Meta(description="A JSON object.")]


class FunctionCallOutput(Struct):
    """What a function gave."""

    type: Literal["function_call_output"]
    call_id: _Word
    output: Annotated[
        str | list[dict[str, Any]], Meta(description="A text, or parts of the types input_text and input_image.")
    ]


class CustomToolCall(Struct):
    """A call of a custom tool that the assistant made."""

    type: Literal["custom_tool_call"]
    call_id: _Word
    name: _Word
    input: str


class CustomToolCallOutput(Struct):
    """What a custom tool gave."""

    type: Literal["custom_tool_call_output"]
    call_id: _Word
    output: Annotated[
        str | list[dict[str, Any]], Meta(description="A text, or parts of the types input_text and input_image.")
    ]


class SummaryText(Struct):
    """A part of a summary of what the assistant thought."""

    text: str


class ReasoningText(Struct):
    """A part of what the assistant thought."""

    text: str


class Reasoning(Struct):
    """What the assistant thought before it answered."""

    type: Literal["reasoning"]
    summary: Annotated[list[SummaryText] | None, Meta(description="Of use without content.")] = None
    content: Annotated[list[ReasoningText] | None, Meta(description="The text itself.")] = None
    encrypted_content: Annotated[str | None, Meta(description="Ignored: this server encrypts nothing.")] = None


Item = Message | FunctionCall | FunctionCallOutput | CustomToolCall | CustomToolCallOutput | Reasoning

#: The struct of an item by its type; an item without one is a message.
ITEMS: dict[str, type[Item]] = {
    "message": Message,
    "function_call": FunctionCall,
    "function_call_output": FunctionCallOutput,
    "custom_tool_call": CustomToolCall,
    "custom_tool_call_output": CustomToolCallOutput,
    "reasoning": Reasoning,
}
#: Where the text of a part is, by its type. Clients of other APIs send their parts unchanged.
TEXT_PARTS = {
    "input_text": "text",
    "output_text": "text",
    "text": "text",
    "summary_text": "text",
    "reasoning_text": "text",
    "refusal": "refusal",
}
#: Parts that are pictures, by their type.
IMAGE_PARTS = ("input_image", IMAGE_URL)
