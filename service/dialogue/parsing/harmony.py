"""The parser of answers in the channels of gpt-oss.

An answer is a row of messages: a header, ``<|message|>``, a text, and a token that ends it. The header names a channel
(``analysis`` is reasoning) and, if the message is a call, its recipient ``functions.NAME``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.dialogue.output import ReasoningFormat
from service.dialogue.parsing.calls import Begun
from service.dialogue.parsing.parser import StreamedParser
from service.dialogue.parsing.scanner import BLANKS, Marks, Reading, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.dialogue.tools import Tool

START, CHANNEL, MESSAGE, CONSTRAIN = "<|start|>", "<|channel|>", "<|message|>", "<|constrain|>"
END, CALL, RETURN = "<|end|>", "<|call|>", "<|return|>"
#: What ends reasoning and begins the answer.
TO_FINAL = f"{END}{START}assistant{CHANNEL}final{MESSAGE}"
CONTROL_TOKENS = (START, CHANNEL, MESSAGE, CONSTRAIN, END, CALL, RETURN)

_ENDS = Marks([END, CALL, RETURN, START, CHANNEL])
_HEADER_WORDS = ("assistant", "to=", CHANNEL, MESSAGE, START)
_MAX_WORD = 256


class HarmonyParser(StreamedParser):
    """The parser for gpt-oss; arguments are those of ``AnswerParser``."""

    def __init__(
        self, tools: Sequence[Tool], *, tail: str, reasoning: ReasoningFormat, make_id: Callable[[], str]
    ) -> None:
        super().__init__(reasoning, make_id)
        self._calls = Begun(self._scanner, self._collector)
        self._names = {f"functions.{tool.name}": tool.name for tool in tools}
        self._recipient = self._channel = ""
        # What the prompt has begun is read like the answer, and then forgotten.
        start = tail.rfind(START)
        self.push(tail[start:] if start >= 0 else START)
        self._scanner.hold()

    def _answer(self) -> Reading[None]:
        scanner, collector = self._scanner, self._collector
        first = yield from scanner.next_of([START, CHANNEL])
        mark: str | None = scanner.take(len(first))
        while mark is not None:
            if mark not in (START, CHANNEL):
                collector.mark()
                mark = yield from scanner.until(_ENDS, collector.content)
                continue
            scanner.hold(mark)
            try:
                yield from self._header(is_channel=mark == CHANNEL)
                mark = yield from self._body()
            except Unreadable:
                collector.content(scanner.release())
                mark = yield from scanner.until(_ENDS, collector.content)

    def _header(self, *, is_channel: bool) -> Reading[None]:
        """Read a header, up to its end."""
        scanner = self._scanner
        self._recipient = self._channel = ""
        mark = CHANNEL if is_channel else ""
        while mark != MESSAGE:
            if mark == CHANNEL:
                yield from scanner.skip_blanks()
                self._channel = yield from self._word()
            elif mark == "to=":
                self._recipient = yield from self._word()
            yield from scanner.skip_blanks()
            words = (*_HEADER_WORDS, CONSTRAIN, "json", "code") if self._channel else _HEADER_WORDS
            mark = yield from scanner.next_of(words)
            if not mark:
                raise Unreadable
            scanner.take(len(mark))

    def _word(self) -> Reading[str]:
        """Take what comes up to a blank or a token."""
        taken: list[str] = []
        while (char := (yield from self._scanner.peek())) and char not in BLANKS and char != "<":
            taken.append(self._scanner.take(1))
            if len(taken) > _MAX_WORD:
                raise Unreadable
        return "".join(taken)

    def _body(self) -> Reading[str | None]:
        """Read what is behind a header; returns the token that ends it."""
        scanner, collector = self._scanner, self._collector
        if self._recipient:
            name = self._names.get(self._recipient)
            if name is None:
                raise Unreadable
            yield from scanner.skip_blanks()
            yield from self._calls.json_object(name)
            rest = scanner.release()
            collector.mark()
            collector.content(rest)
            return (yield from scanner.until(_ENDS, collector.content))
        held = scanner.release()
        if self._channel != "analysis":
            collector.mark()
            return (yield from scanner.until(_ENDS, collector.content))
        self.is_reasoning = True
        collector.begin_reasoning(held)
        mark = yield from scanner.until(_ENDS, collector.reasoning)
        self.is_reasoning = False
        collector.end_reasoning(mark or "")
        return mark


def is_open(tail: str) -> bool:
    """Whether the end of a prompt has opened reasoning that it does not close."""
    return HarmonyParser((), tail=tail, reasoning=ReasoningFormat.SEPARATE, make_id=str).is_reasoning
