"""Prompts that end inside the last turn, so that the model continues the text of that turn.

The end of that text cannot be found by searching for the text: templates close each turn with markers of their own, and
may strip the text, move parts of it or repeat it. So it is rendered with a random mark behind it, and the prompt ends
where the template wrote the mark.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from service.errors import InvalidArgument
from service.prompts.templates import secret_digits

if TYPE_CHECKING:
    from service.prompts.templates import ChatTemplate, Conversation


def render_continued(template: ChatTemplate, conversation: Conversation) -> str:
    """Render a conversation up to the end of the last turn's text; blocks, any thread.

    Blanks at the end of the text are kept even if the template strips texts: they are part of what is continued.

    Args:
        template: the one in force.
        conversation: its last turn has text.

    Raises:
        InvalidArgument: the template refuses the conversation, fails on it, or does not write the end of the last text.
    """
    *before, last = conversation.messages
    mark = secret_digits()
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
