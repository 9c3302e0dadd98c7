"""Tools described in a system message, for models whose chat template does not show them any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.dialogue.writing import WrittenCall, textual, to_json, write_calls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.dialogue.chat_format import CallFormat
    from service.dialogue.history import Turn


def tools_text(tools: Sequence[Any], form: CallFormat, *, may_call: bool) -> str:
    """The tools, one JSON object a line, and how to call them.

    Args:
        tools: definitions in the OpenAI shape.
        form: how calls are written.
        may_call: whether the answer may call any.
    """
    lines = "\n".join(to_json(tool) for tool in tools)
    described = f"These are the signatures of the functions that you have:\n<tools>\n{lines}\n</tools>"
    if not may_call:
        return f"{described}\n\nAnswer without calling any of them."
    written = write_calls([WrittenCall("NAME", {"ARGUMENT": "VALUE"}, "ID")], textual(form))
    return (
        f"{described}\n\nTo call a function, write its name and its arguments in this form and nothing behind it:\n"
        f"{written}\n\nYou then get what it returns."
    )


def with_system_text(turns: Sequence[Turn], text: str, *, knows_system: bool) -> list[Turn]:
    """The turns with a text in front of the system's, or of the user's if the template knows no system turns.

    Args:
        turns: the conversation; not changed.
        text: what to add.
        knows_system: whether the template has system turns.
    """
    role = "system" if knows_system else "user"
    place = 0 if knows_system else next((index for index, turn in enumerate(turns) if turn["role"] == role), len(turns))
    if place < len(turns) and turns[place]["role"] == role:
        own = turns[place]["content"]
        # What the caller wants of the model comes first, as in templates that show tools themselves.
        joined = filter(None, (own, text) if knows_system else (text, own))
        return [*turns[:place], {**turns[place], "content": "\n\n".join(joined)}, *turns[place + 1 :]]
    return [*turns[:place], {"role": role, "content": text}, *turns[place:]]
