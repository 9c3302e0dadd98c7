"""What parsed output consists of, and what gives it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol


class Channel(enum.Enum):
    """What a text belongs to."""

    CONTENT = "content"
    REASONING = "reasoning"


class ReasoningFormat(enum.Enum):
    """Where reasoning goes."""

    #: Into texts of its own, without its markers.
    SEPARATE = "separate"
    #: It stays in the content, with its markers.
    INLINE = "inline"
    #: Both of these.
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class TextPart:
    """More of a text; never empty."""

    channel: Channel
    text: str


@dataclass(frozen=True, slots=True)
class CallPart:
    """The beginning of a tool call, or more of its arguments.

    Attributes:
        call: number of the call, from 0.
        id, name: with the first part of a call only, otherwise empty.
        arguments: more of the arguments, as JSON text.
    """

    call: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class MarkPart:
    """A marker, or blanks beside one, were read; they are in no text."""


Part = TextPart | CallPart | MarkPart

#: The only one of its kind.
MARK = MarkPart()


class OutputParser(Protocol):
    """Tells the parts of one answer apart while it is written. Never fails: what it cannot read is content.

    Attributes:
        is_reasoning: whether the text so far ends in reasoning.
    """

    is_reasoning: bool

    @property
    def blanks(self) -> str:
        """Blanks at the end of the content so far, held back because a marker may follow."""

    @property
    def n_calls(self) -> int:
        """Calls that are complete."""

    def push(self, text: str) -> list[Part]:
        """Take more of the answer; the parts that are certain now, in order."""

    def finish(self) -> list[Part]:
        """The answer is over: the parts that were held back, in order."""
