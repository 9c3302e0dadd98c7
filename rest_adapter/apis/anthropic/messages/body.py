"""POST /v1/messages: what a body may have, as structs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

#: Tokens of an answer if the body does not say; the Anthropic API wants to be told.
DEFAULT_MAX_TOKENS = 4096

Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Word = Annotated[str, Meta(min_length=1)]


class Text(Struct, tag="text"):
    """Some text."""

    text: str


class Base64Source(Struct, tag="base64"):
    """The file of a picture. What it holds is told by its content."""

    media_type: Annotated[str, Meta(description="Begins with image/.", pattern="^image/")]
    data: Annotated[str, Meta(description="In base64: PNG, JPEG, WebP, GIF or BMP.")]


class UrlSource(Struct, tag="url"):
    """A picture that another server has."""

    url: Annotated[str, Meta(description="Only of servers that --image-url-allow lists, or data:image/png;base64,...")]


class Picture(Struct, tag="image"):
    """A picture."""

    source: Annotated[Base64Source | UrlSource, Meta(description="Its file, or where it is.")]


class Thinking(Struct, tag="thinking"):
    """What the assistant thought in an earlier turn. Its signature is not looked at."""

    thinking: str


class RedactedThinking(Struct, tag="redacted_thinking"):
    """The same, as nobody but another server can read it; left out."""


class ToolUse(Struct, tag="tool_use"):
    """A call that the assistant made."""

    id: str
    name: Word
    input: dict[str, Any]


class ToolResult(Struct, tag="tool_result"):
    """What a call gave."""

    tool_use_id: str
    content: str | list[Text | Picture] | None = None
    is_error: bool | None = None


class UserTurn(Struct, tag="user", tag_field="role"):
    """What the user says, and what calls gave."""

    content: str | list[Text | Picture | ToolResult]


class AssistantTurn(Struct, tag="assistant", tag_field="role"):
    """An earlier answer, or the beginning of this one."""

    content: str | list[Text | Thinking | RedactedThinking | ToolUse]


class SystemTurn(Struct, tag="system", tag_field="role"):
    """Instructions in the middle of a conversation."""

    content: str | list[Text]


class Tool(Struct):
    """A tool. Those of other types than "custom" run on Anthropic's servers, and are left out."""

    type: str | None = None
    name: Word | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None


class AutoChoice(Struct, tag="auto"):
    """The model chooses."""

    disable_parallel_tool_use: bool | None = None


class AnyChoice(Struct, tag="any"):
    """The answer calls a tool."""

    disable_parallel_tool_use: bool | None = None


class NamedChoice(Struct, tag="tool"):
    """The answer calls this tool."""

    name: Word
    disable_parallel_tool_use: bool | None = None


class NoChoice(Struct, tag="none"):
    """The answer calls no tool."""


Choice = AutoChoice | AnyChoice | NamedChoice | NoChoice
Display = Literal["summarized", "omitted"]


class Enabled(Struct, tag="enabled"):
    """The model may think."""

    budget_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    display: Display | None = None


class Adaptive(Struct, tag="adaptive"):
    """The model may think as much as it likes."""

    display: Display | None = None


class BetweenTools(Struct, tag="between_tools"):
    """The same."""


class Disabled(Struct, tag="disabled"):
    """The model does not think."""


ThinkingConfig = Enabled | Adaptive | BetweenTools | Disabled


class JsonFormat(Struct, tag="json_schema"):
    """The answer is JSON."""

    schema: dict[str, Any]


class OutputConfig(Struct):
    """What the answer is like."""

    effort: Annotated[
        Word | None, Meta(description="How hard to think: a word for models whose template knows such words.")
    ] = None
    format: Annotated[JsonFormat | None, Meta(description="Form that the text must have.")] = None


class Body(Struct):
    """A body. All other fields are options of /completion, or are ignored, or are refused by name."""

    messages: Annotated[
        list[UserTurn | AssistantTurn | SystemTurn],
        Meta(
            description="The conversation so far. Neighbouring messages of one role are one turn. A last message of "
            "the assistant is continued: the answer is what is added."
        ),
    ]
    max_tokens: Annotated[
        Count | None, Meta(description="Most tokens of the answer, thinking included; 4096 without.")
    ] = None
    model: Annotated[
        str | None, Meta(description="Repeated in the answer; any name will do. Without one, it is that of /v1/models.")
    ] = None
    output_config: Annotated[OutputConfig | None, Meta(description="Form of the answer, and effort.")] = None
    output_format: Annotated[JsonFormat | None, Meta(description="An older name of output_config.format.")] = None
    stop_sequences: Annotated[list[str] | None, Meta(description="Texts before which the answer ends.")] = None
    stream: Annotated[bool | None, Meta(description="Answer with server-sent events while the text is made.")] = None
    system: Annotated[str | list[Text] | None, Meta(description="Instructions in front of the conversation.")] = None
    thinking: Annotated[
        ThinkingConfig | None,
        Meta(
            description="Whether the model may think before it answers, and how many tokens. Models that cannot think, "
            "or cannot be kept from it, answer as they do; without this field, --reasoning or the template decides."
        ),
    ] = None
    tool_choice: Annotated[
        Choice | None,
        Meta(description="Whether to call tools. A named one is called once unless the choice allows more."),
    ] = None
    tools: Annotated[
        list[Tool] | None,
        Meta(
            description="Functions that the answer may call. Calls name one of them, and have input that obeys its "
            "schema. Tools that run on Anthropic's servers are left out."
        ),
    ] = None
