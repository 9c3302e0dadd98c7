"""Conversations that some templates refuse or fail on, and that can be told in another way.

Coding agents send several system turns, or late ones: then all of them become one at the beginning. Tools need neither
a description nor parameters, but some templates fail without: then they get empty ones. A template that takes a
conversation renders it as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from service.errors import InvalidArgument
from service.prompts.template_process import TemplateKilled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.prompts.templates import ChatTemplate, Conversation
    from service.prompts.work import Work


class TolerantTemplate:
    """A ``ChatTemplate`` that tells a conversation in another way if the template refuses it as it is.

    Args:
        template: the one in force.
    """

    def __init__(self, template: ChatTemplate) -> None:
        self._template = template

    @property
    def source(self) -> str:
        return self._template.source

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        """Render a conversation; raises what the template raises for the conversation as it is."""
        try:
            return self._template.render(conversation, work)
        except InvalidArgument as error:
            if isinstance(error.__cause__, TemplateKilled):
                raise
            for other in _other_ways(conversation):
                try:
                    return self._template.render(other, work)
                except InvalidArgument as second:
                    if isinstance(second.__cause__, TemplateKilled):
                        break
            raise


def _other_ways(conversation: Conversation) -> Iterator[Conversation]:
    whole, one = with_whole_tools(conversation), with_one_system(conversation)
    if whole is not None:
        yield whole
    if one is not None:
        yield one
    if whole is not None and one is not None:
        yield replace(one, tools=whole.tools)


def with_one_system(conversation: Conversation) -> Conversation | None:
    """The conversation with all system turns in one at its beginning; None if it is like that already."""
    turns = conversation.messages
    systems = [index for index, turn in enumerate(turns) if turn["role"] == "system"]
    if systems in ([], [0]):
        return None
    texts = [turns[index]["content"] for index in systems]
    first: dict[str, Any] = {**turns[systems[0]], "content": "\n\n".join(filter(None, texts))}
    return replace(conversation, messages=[first, *(turn for turn in turns if turn["role"] != "system")])


def with_whole_tools(conversation: Conversation) -> Conversation | None:
    """The conversation with descriptions and parameters for all tools; None if they have them already."""
    tools = [_whole(tool) for tool in conversation.tools or ()]
    return None if tools == list(conversation.tools or ()) else replace(conversation, tools=tools)


def _whole(tool: Any) -> Any:
    match tool:
        case {"function": {**function}}:
            given = function.get("parameters")
            parameters = {"type": "object", "properties": {}, **(given if isinstance(given, dict) else {})}
            properties = parameters["properties"]
            if isinstance(properties, dict):
                parameters["properties"] = {name: _described(one) for name, one in properties.items()}
            return {**tool, "function": {"description": "", **function, "parameters": parameters}}
        case _:
            return tool


def _described(schema: Any) -> Any:
    return {"description": "", **schema} if isinstance(schema, dict) else schema
