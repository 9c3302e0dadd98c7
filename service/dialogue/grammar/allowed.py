"""What an answer may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.dialogue.tools import Tool


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer may be.

    Attributes:
        tools: those that it may call.
        is_required: it is a call, or several; otherwise it may be content, with calls in it.
        is_parallel: it may make several calls.
        content: an expression of Lark that content obeys, "" if it may be any text. Then the answer is content or
            calls, not both.
    """

    tools: Sequence[Tool] = ()
    is_required: bool = False
    is_parallel: bool = True
    content: str = ""
