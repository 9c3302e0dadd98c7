"""How a model writes reasoning and tool calls, and what its chat template wants to see of them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class CallStyle(enum.Enum):
    """How one tool call is written. Each call stands between ``call_open`` and ``call_close``."""

    #: Calls cannot be written.
    NONE = "none"
    #: A JSON object that holds name and arguments: ``{"name": "f", "arguments": {"a": 1}}``.
    JSON = "json"
    #: A JSON object with the name as its only key: ``{"f": {"a": 1}}``.
    NAME_KEY = "name_key"
    #: The name, ``name_close``, then the arguments as a JSON object: ``f[ARGS]{"a": 1}``.
    NAME_JSON = "name_json"
    #: The name, ``name_close``, then each argument between marks of its own.
    TAGGED = "tagged"
    #: A call of Python: ``f(a=1, b='x')``.
    PYTHON = "python"
    #: The channels of gpt-oss: recipients and channels in the header of a message.
    HARMONY = "harmony"


class CallIds(enum.Enum):
    """What ids of calls a template accepts in the history."""

    ANY = "any"
    #: Exactly nine letters and digits.
    NINE = "nine"
    #: ``functions.NAME:N``, with N counting all calls of the conversation.
    NUMBERED = "numbered"


@dataclass(frozen=True, slots=True)
class CallFormat:
    """How tool calls are written. Blanks and line breaks are part of the texts, as the template writes them.

    Attributes:
        style: what is between ``call_open`` and ``call_close``.
        section_open, section_close: around all calls of one answer.
        call_open, call_close: around each call.
        call_separator: between two calls.
        name_key, arguments_key: JSON only.
        id_key: JSON only; the member that holds an id made by the model, "" if there is none.
        id_first: that member is the first one, not the last one.
        name_prefix, name_suffix: NAME_JSON only; around the name, with ``{index}`` for the number of the call.
        name_close: behind the name (NAME_JSON, TAGGED). "" if the name ends where the first argument or ``call_close``
            begins.
        id_open: NAME_JSON only; between the name and an id made by the model, "" if there is none.
        id_close: NAME_JSON only; between an id made by the model and the name, "" if there is none.
        argument_open: TAGGED only, as all that follow; before the name of an argument.
        argument_name_close: between the name of an argument and its value.
        argument_close: behind the value, with ``{name}`` for the name of the argument.
        argument_separator: between two arguments.
        string_open, string_close: around values that are strings, which are written raw in any case. If both are set,
            other values are written as JSON would be, but with these around all strings and nothing around keys.
            Otherwise they are JSON.
        value_open: before values that are no strings.
    """

    style: CallStyle = CallStyle.NONE
    section_open: str = ""
    section_close: str = ""
    call_open: str = ""
    call_close: str = ""
    call_separator: str = ""
    name_key: str = "name"
    arguments_key: str = "arguments"
    id_key: str = ""
    id_first: bool = False
    name_prefix: str = ""
    name_suffix: str = ""
    name_close: str = ""
    id_open: str = ""
    id_close: str = ""
    argument_open: str = ""
    argument_name_close: str = ""
    argument_close: str = ""
    argument_separator: str = ""
    string_open: str = ""
    string_close: str = ""
    value_open: str = ""


@dataclass(frozen=True, slots=True)
class ReasoningMarkers:
    """What stands around reasoning, without the blanks and line breaks beside it."""

    open: str
    close: str


@dataclass(frozen=True, slots=True)
class ContentMarkers:
    """What stands around content, where the model does not write it bare; blanks and line breaks are part of it."""

    open: str
    close: str = ""


@dataclass(frozen=True, slots=True)
class HistoryFormat:
    """What a template wants to see of earlier turns.

    Attributes:
        arguments_as_text: arguments of calls as JSON text, not as an object.
        null_content: the content of a turn that only calls tools is null, not an empty text.
        parallel: one turn may make several calls; otherwise each call needs a turn of its own.
        call_ids: which ids of calls it accepts.
        renders_calls: it writes the calls of earlier turns; otherwise they have to be written into the content.
        content_beside_calls: it writes the content of a turn that calls tools, or at least the calls then; otherwise a
            text needs a turn of its own in front of them.
        reasoning_key: the key under which it looks for a turn's reasoning.
        knows_tool_role: it has turns of the role ``tool``; otherwise results of calls have to be the user's.
        knows_developer: it has turns of the role ``developer``; otherwise they have to be the system's.
        knows_system: it has turns of the role ``system``; otherwise they have to be part of the user's.
    """

    arguments_as_text: bool = False
    null_content: bool = False
    parallel: bool = True
    call_ids: CallIds = CallIds.ANY
    renders_calls: bool = True
    content_beside_calls: bool = True
    reasoning_key: str = "reasoning_content"
    knows_tool_role: bool = True
    knows_developer: bool = False
    knows_system: bool = True


@dataclass(frozen=True, slots=True)
class ReasoningSwitches:
    """Variables of the template that change whether or how hard the model thinks.

    Attributes:
        on_off: name of the variable that turns reasoning on and off; "" if there is none.
        on, off: its values.
        effort: name of the variable that says in a word how hard the model thinks; "" if there is none.
        no_effort: the word with which it does not think; "" if there is none.
    """

    on_off: str = ""
    on: bool | str = True
    off: bool | str = False
    effort: str = ""
    no_effort: str = ""

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of all variables."""
        return tuple(name for name in (self.on_off, self.effort) if name)


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """How answers to conversations are written.

    Attributes:
        calls: tool calls.
        source: where ``calls`` comes from: ``"template"``, ``"option"``, or ``"fallback"`` if the template knows no
            tools, so that the server describes them in a system message.
        reasoning: the markers of reasoning, None if the template writes none.
        content: the markers of content, None if it is written bare.
        reasoning_switches: variables of the template that change whether or how hard the model thinks.
        history: what the template wants to see of earlier turns.
        renders_tools: whether the template shows the model its tools.
        control_tokens: names of the control tokens among all these markers. Tokens of the vocabulary have no text if
            they are control tokens, so these have to be named to be found in an answer.
    """

    calls: CallFormat = field(default_factory=CallFormat)
    source: str = "template"
    reasoning: ReasoningMarkers | None = None
    content: ContentMarkers | None = None
    reasoning_switches: ReasoningSwitches = field(default_factory=ReasoningSwitches)
    history: HistoryFormat = field(default_factory=HistoryFormat)
    renders_tools: bool = False
    control_tokens: tuple[str, ...] = ()


#: How models without a format of their own are asked to write calls.
HERMES = CallFormat(CallStyle.JSON, call_open="<tool_call>\n", call_close="\n</tool_call>", call_separator="\n")
