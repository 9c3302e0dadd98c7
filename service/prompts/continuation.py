"""Prompts that end inside the last turn, so that the model goes on with what was said there.

A template writes a turn with what closes it, and the text need not stand there as it was sent: templates strip it, move
parts of it, or repeat it elsewhere. So the text is not looked for. It is rendered with a mark behind it, and the prompt
ends where the template wrote the mark.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from service.errors import InvalidArgument

if TYPE_CHECKING:
    from service.prompts.templates import ChatTemplate, Conversation

_N_MARK_DIGITS = 32


def render_continued(template: ChatTemplate, conversation: Conversation) -> str:
    """Render a conversation up to the end of the last turn's text; blocks, any thread.

    Blanks at the end of the text stay, also with a template that strips it: they are part of what is continued.

    Args:
        template: the one in force.
        conversation: its last turn has text.

    Raises:
        InvalidArgument: the template refuses the conversation, fails on it, or does not write the end of the last text.
    """
    *before, last = conversation.messages
    mark = _make_mark()
    marked = {**last, "content": last["content"] + mark}
    rendered = template.render(
        replace(conversation, messages=[*before, marked], add_generation_prompt=False),
    )
    text, found, _ = rendered.rpartition(mark)
    if not found:
        raise InvalidArgument(
            "chat.continue_final_message",
            "true is not possible here: the chat template does not write the end of the last message's text",
        )
    # A template may have written the text in several places.
    return text.replace(mark, "")


def _make_mark() -> str:
    """Digits, which no filter of a template changes, and at random, so that no text holds them."""
    return str(secrets.randbelow(10**_N_MARK_DIGITS)).zfill(_N_MARK_DIGITS)
