"""The parts of an answer, as readers find them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from service.dialogue.output import MARK, CallPart, Channel, Part, ReasoningFormat, TextPart
from service.dialogue.parsing.scanner import BLANKS

if TYPE_CHECKING:
    from collections.abc import Callable


class _Trimmed:
    """A text whose blanks beside markers are left out."""

    def __init__(self, sink: Callable[[str], None]) -> None:
        self._sink = sink
        #: Those that a marker may follow.
        self.blanks: list[str] = []
        #: Whether a marker is right before what comes.
        self._is_behind = False

    def say(self, text: str) -> bool:
        """More of the text; whether any of it was left out."""
        before = len(text)
        if self._is_behind:
            text = text.lstrip(BLANKS)
            self._is_behind = not text
        body = text.rstrip(BLANKS)
        if body:
            self._sink("".join([*self.blanks, body]))
            self.blanks = []
        if len(body) < len(text):
            self.blanks.append(text[len(body) :])
        return len(text) < before

    def mark(self) -> None:
        """A marker is here."""
        self.blanks = []
        self._is_behind = True

    def flush(self) -> None:
        """The blanks at the end belong to the text: no marker follows."""
        if self.blanks:
            self._sink("".join(self.blanks))
            self.blanks = []
        self._is_behind = False


class Collector:
    """Collects the parts of an answer.

    Args:
        reasoning: where reasoning goes.
        make_id: makes the id of a call.

    Attributes:
        n_calls: calls that are complete.
        n_begun: calls that have begun.
        has_content: whether any content but blanks was said since the last marker.
    """

    def __init__(self, reasoning: ReasoningFormat, make_id: Callable[[], str]) -> None:
        self.n_calls = self.n_begun = 0
        self.has_content = False
        self._parts: list[Part] = []
        self._make_id = make_id
        self._is_inline = reasoning is not ReasoningFormat.SEPARATE
        self._is_separate = reasoning is not ReasoningFormat.INLINE
        self._content = _Trimmed(lambda text: self._text(Channel.CONTENT, text))
        self._reasoning = _Trimmed(lambda text: self._text(Channel.REASONING, text))

    @property
    def blanks(self) -> str:
        """Blanks at the end of the content so far."""
        return "".join(self._content.blanks)

    def take(self) -> list[Part]:
        """The parts since the last call."""
        parts, self._parts = self._parts, []
        return parts

    def content(self, text: str) -> None:
        """More content."""
        self.has_content = self.has_content or not text.isspace()
        if self._content.say(text):
            self._mark()

    def mark(self) -> None:
        """A marker in or behind content."""
        self._content.mark()
        self.has_content = False
        self._mark()

    def begin_reasoning(self, marker: str) -> None:
        """Reasoning begins with this text."""
        if self._is_inline:
            self._content.flush()
            self._text(Channel.CONTENT, marker)
        else:
            self._content.mark()
        self._reasoning.mark()
        self._mark()

    def reasoning(self, text: str) -> None:
        """More reasoning."""
        if self._is_separate and self._reasoning.say(text):
            self._mark()
        if self._is_inline:
            self._text(Channel.CONTENT, text)

    def end_reasoning(self, marker: str) -> None:
        """Reasoning ends with this text."""
        if self._is_inline:
            self._text(Channel.CONTENT, marker)
        else:
            self._content.mark()
        self._reasoning.mark()
        self.has_content = False
        self._mark()

    def begin_call(self, name: str) -> None:
        """A call of this tool begins; ``mark`` was told of its marker, if it has one."""
        self._content.mark()
        self.has_content = False
        self._parts.append(CallPart(self.n_begun, self._make_id(), name))
        self.n_begun += 1

    def arguments(self, text: str) -> None:
        """More of the arguments of the call that began last."""
        if text:
            self._parts.append(CallPart(self.n_begun - 1, arguments=text))

    def quoted(self, text: str) -> None:
        """More of a string in these arguments."""
        self.arguments(in_string(text))

    def end_call(self) -> None:
        """The arguments of that call are complete."""
        self.n_calls += 1
        self._mark()

    def finish(self) -> None:
        """The answer is over."""
        self._reasoning.flush()
        self._content.flush()

    def _mark(self) -> None:
        if not self._parts or self._parts[-1] is not MARK:
            self._parts.append(MARK)

    def _text(self, channel: Channel, text: str) -> None:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, TextPart) and last.channel is channel:
            self._parts[-1] = TextPart(channel, last.text + text)
        elif text:
            self._parts.append(TextPart(channel, text))


def in_string(text: str) -> str:
    """A text as it is written inside a string of JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
