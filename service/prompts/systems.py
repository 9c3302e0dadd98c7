"""System turns where templates do not take them: several of them, or late ones.

Coding agents send such conversations, and some templates refuse them. Then all system turns become one at the
beginning. A template that takes a conversation renders it as it is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from service.errors import InvalidArgument
from service.prompts.template_process import TemplateKilled

if TYPE_CHECKING:
    from service.prompts.templates import ChatTemplate, Conversation
    from service.prompts.work import Work


class OneSystemTemplate:
    """A ``ChatTemplate`` that renders a conversation with one system turn if it refuses it as it is.

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
            changed = with_one_system(conversation)
            if changed is None or isinstance(error.__cause__, TemplateKilled):
                raise
            try:
                return self._template.render(changed, work)
            except InvalidArgument:
                raise error from error.__cause__


def with_one_system(conversation: Conversation) -> Conversation | None:
    """The conversation with all system turns in one at its beginning; None if it is like that already."""
    turns = conversation.messages
    systems = [index for index, turn in enumerate(turns) if turn["role"] == "system"]
    if systems in ([], [0]):
        return None
    texts = [turns[index]["content"] for index in systems]
    first: dict[str, Any] = {**turns[systems[0]], "content": "\n\n".join(filter(None, texts))}
    return replace(conversation, messages=[first, *(turn for turn in turns if turn["role"] != "system")])
