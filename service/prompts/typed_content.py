"""Chat templates that look for the texts of a message in a list of typed parts, and write none that is a text alone.

Templates of models that see are often like that: they go over ``{"type": "text", "text": ...}`` and
``{"type": "image"}``. Here every message has one text, in which marks stand for pictures, so they get a list of that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from service.errors import InvalidArgument
from service.prompts.templates import Conversation, secret_digits

if TYPE_CHECKING:
    from service.prompts.templates import ChatTemplate, Message
    from service.prompts.work import Work


class TypedContent:
    """A ``ChatTemplate`` that gives another one each message's text as a list of parts.

    Args:
        template: the one in force.
    """

    def __init__(self, template: ChatTemplate) -> None:
        self._template = template

    @property
    def source(self) -> str:
        return self._template.source

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        """Render a conversation; see ``ChatTemplate``."""
        messages = [_typed(message) for message in conversation.messages]
        return self._template.render(replace(conversation, messages=messages), work)


def with_fitting_content(template: ChatTemplate) -> ChatTemplate:
    """The template as it is to be used: itself, unless it writes texts in lists of parts alone; blocks.

    Raises:
        TemplateWorkerLost: the process that renders was lost, twice.
    """
    typed = TypedContent(template)
    return typed if not _writes_texts(template) and _writes_texts(typed) else template


def _writes_texts(template: ChatTemplate) -> bool:
    text = secret_digits()
    try:
        return text in template.render(Conversation([{"role": "user", "content": text}]))
    except InvalidArgument:
        return False


def _typed(message: Message) -> Message:
    content = message.get("content")
    return {**message, "content": [{"type": "text", "text": content}]} if isinstance(content, str) else message
