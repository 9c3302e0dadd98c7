"""Conversations that a template is made to render, so that it shows how it writes what.

Their texts and names are words that no template contains, so that they can be found in what it writes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

USER = "Quxuserq"
TEXT = "Quxtextq"
THOUGHT = "Quxthoughtq"
RESULT = "Quxresultq"
SYSTEM = "Quxsystemq"
FIRST, SECOND = "quxalpha", "quxbeta"
LEFT, RIGHT = "quxleft", "quxright"
VALUE, OTHER_VALUE = "quxvalue", "quxother"
NUMBER = 48151
#: Nine letters and digits, which all templates accept.
IDS = ("quxcall01", "quxcall02")

Message = Mapping[str, Any]
Call = tuple[str, Mapping[str, Any]]


def tool(name: str) -> dict[str, Any]:
    """A tool with all that templates look for."""
    properties = {
        LEFT: {"type": "string", "description": "Text."},
        RIGHT: {"type": "integer", "description": "Number."},
    }
    parameters = {"type": "object", "properties": properties, "required": [LEFT]}
    return {"type": "function", "function": {"name": name, "description": "Text.", "parameters": parameters}}


TOOLS = (tool(FIRST), tool(SECOND))


@dataclass(frozen=True, slots=True)
class Probe:
    """A conversation to render.

    Attributes:
        messages: the turns.
        tools: definitions of tools, in the OpenAI shape.
        add_generation_prompt: open an assistant's turn at the end.
        variables: further variables of the template.
    """

    messages: Sequence[Message]
    tools: Sequence[Any] | None = None
    add_generation_prompt: bool = False
    variables: Mapping[str, Any] = field(default_factory=dict)


#: Renders a probe; None if the template refuses it or fails on it. Raises ``GaveUp`` if nothing can be rendered.
Render = Callable[[Probe], str | None]


class GaveUp(Exception):
    """The template cannot be analysed: it takes too much, or its process was lost."""


@dataclass(frozen=True, slots=True)
class Prober:
    """Renders turns of the assistant as a template wants them.

    Attributes:
        render: renders a probe.
        arguments_as_text: arguments of calls as JSON text.
        null_content: null, not "", is the content of turns that only call tools.
        numbered_ids: ids of calls are ``functions.NAME:N``.
        ids: ids of calls, unless they are numbered.
        variables: further variables of the template.
    """

    render: Render
    arguments_as_text: bool = False
    null_content: bool = False
    numbered_ids: bool = False
    ids: tuple[str, str] = IDS
    variables: Mapping[str, Any] = field(default_factory=dict)

    def with_variables(self, variables: Mapping[str, Any]) -> Prober:
        """The same with further variables."""
        return replace(self, variables=variables)

    def text(self, *, tools: bool = True, **extra: Any) -> str | None:
        """A turn with a text; ``extra`` are further keys of its message."""
        return self._render({"role": "assistant", "content": TEXT, **extra}, tools=tools)

    def calls(self, *calls: Call, results: Sequence[str] = (), **extra: Any) -> str | None:
        """A turn that calls tools, and turns with results; ``extra`` are further keys of its message."""
        content = None if self.null_content else ""
        turn = {"role": "assistant", "content": content, "tool_calls": [*map(self._call, range(len(calls)), calls)]}
        answers = [
            {"role": "tool", "tool_call_id": self._id(index, calls[index][0]), "name": calls[index][0], "content": one}
            for index, one in enumerate(results)
        ]
        return self._render({**turn, **extra}, *answers)

    def variants(self) -> list[Prober]:
        """The four ways in which a template may want calls, the usual one first."""
        return [
            replace(self, arguments_as_text=as_text, null_content=null_content)
            for as_text in (False, True)
            for null_content in (False, True)
        ]

    def _render(self, *turns: Message, tools: bool = True) -> str | None:
        return self.render(
            Probe([{"role": "user", "content": USER}, *turns], TOOLS if tools else None, variables=self.variables)
        )

    def _call(self, index: int, call: Call) -> dict[str, Any]:
        name, arguments = call
        given = json.dumps(arguments) if self.arguments_as_text else arguments
        return {"id": self._id(index, name), "type": "function", "function": {"name": name, "arguments": given}}

    def _id(self, index: int, name: str) -> str:
        return f"functions.{name}:{index}" if self.numbered_ids else self.ids[index]
