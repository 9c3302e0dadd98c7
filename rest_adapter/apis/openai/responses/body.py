"""What a body of POST /v1/responses has besides the options of /completion."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from rest_adapter.apis.openai.openai_options import MAX_TOP_LOGPROBS
from rest_adapter.json.number_bounds import INT32

_TopLogprobs = Annotated[int, Meta(ge=0, le=MAX_TOP_LOGPROBS)]
_Tokens = Annotated[int, Meta(ge=1, le=INT32[1])]
_Name = Annotated[str, Meta(min_length=1)]


class TextOptions(Struct):
    """What the text of an answer is like."""

    format: Annotated[
        dict[str, Any] | None,
        Meta(description="Form of the text, behind reasoning: text, json_object, or json_schema with a schema."),
    ] = None


class ReasoningOptions(Struct):
    """How much the model thinks."""

    effort: Annotated[
        _Name | None, Meta(description="none turns reasoning off; other words are for the model's template.")
    ] = None
    summary: Annotated[
        str | None, Meta(description="Repeated in the answer. There are no summaries: reasoning comes as it is.")
    ] = None


class ResponseBody(Struct):
    """The fields of the Responses API. Input items and tools have structs of their own, by their type."""

    model: Annotated[
        str | None, Meta(description="Repeated in the answer; any name will do. Without one, it is that of /v1/models.")
    ] = None
    input: Annotated[
        str | list[dict[str, Any]] | None,
        Meta(description="What the user says, or the conversation so far as items: the server keeps nothing."),
    ] = None
    instructions: Annotated[str | None, Meta(description="A message of the system in front of the input.")] = None
    tools: Annotated[
        list[dict[str, Any]] | None,
        Meta(description="Functions and custom tools that the answer may call; tools of other types are left out."),
    ] = None
    tool_choice: Annotated[
        str | dict[str, Any] | None,
        Meta(
            description="Whether to call tools: none shows them to the model without that, auto leaves it to the "
            "model, required makes sure of a call. An object names the tool to call, once unless parallel_tool_calls "
            "is true, or those that may be called."
        ),
    ] = None
    parallel_tool_calls: Annotated[
        bool | None, Meta(description="Whether an answer may make several calls. True unless a tool is named.")
    ] = None
    max_output_tokens: Annotated[
        _Tokens | None, Meta(description="Most tokens of an answer, those of reasoning and calls included.")
    ] = None
    stream: Annotated[bool | None, Meta(description="Answer with server-sent events.")] = None
    text: Annotated[TextOptions | None, Meta(description="What the text of the answer is like.")] = None
    reasoning: Annotated[
        ReasoningOptions | None,
        Meta(description="How much to think. What the model has no switch or word for is left out."),
    ] = None
    include: Annotated[
        list[str] | None,
        Meta(description="message.output_text.logprobs tells log-probabilities; other words are ignored."),
    ] = None
    top_logprobs: Annotated[
        _TopLogprobs | None,
        Meta(description="Tell so many of the most probable tokens at each position; above 0 includes logprobs."),
    ] = None
    metadata: Annotated[dict[str, str] | None, Meta(description="Repeated in the answer.")] = None
    store: Annotated[bool | None, Meta(description="The server keeps nothing, and answers false.")] = None
    truncation: Annotated[
        Literal["auto", "disabled"] | None,
        Meta(
            description="auto shortens a conversation that does not fit, disabled refuses it. The default is that of "
            "truncate."
        ),
    ] = None
