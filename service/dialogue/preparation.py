"""A conversation with tools, as a chat template wants to see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.dialogue.history import adapted
from service.dialogue.tools_text import tools_text, with_system_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.dialogue.chat_format import ChatFormat
    from service.dialogue.history import Turn


def prepared(
    turns: Sequence[Turn], tools: Sequence[Any] | None, form: ChatFormat, *, may_call: bool = True
) -> tuple[list[Turn], Sequence[Any] | None]:
    """The turns and the tools for the template. Tools that it would not show are in a system turn instead.

    Args:
        turns: the conversation, as ``service.dialogue.history`` describes it; not changed.
        tools: definitions in the OpenAI shape.
        form: of the model.
        may_call: whether the answer may call tools.
    """
    adapted_turns = adapted(turns, form)
    if not tools or form.renders_tools:
        return adapted_turns, tools or None
    text = tools_text(tools, form.calls, may_call=may_call)
    return with_system_text(adapted_turns, text, knows_system=form.history.knows_system), None
