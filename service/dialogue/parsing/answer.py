"""The parser of answers that mark reasoning and calls in running text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.dialogue.chat_format import CallFormat, CallStyle, ChatFormat
from service.dialogue.parsing.calls import CallReader, CallReading, JsonCalls, NameJsonCalls, NameKeyCalls
from service.dialogue.parsing.loose import braced_calls, python_calls
from service.dialogue.parsing.parser import StreamedParser
from service.dialogue.parsing.scanner import BLANKS, Marks, Reading, Unreadable, atoms
from service.dialogue.parsing.tagged import TaggedCalls

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.dialogue.output import ReasoningFormat
    from service.dialogue.tools import Tool


class AnswerParser(StreamedParser):
    """The parser for all formats but that of gpt-oss.

    Reasoning begins at the beginning of the answer or behind a call, or anywhere if its marker is a control token.

    Args:
        form: how answers are written.
        tools: those that may be called; without any, calls are content.
        tail: the end of the prompt, which may have opened reasoning or content already.
        reasoning: where reasoning goes.
        make_id: makes the id of a call.
    """

    def __init__(
        self,
        form: ChatFormat,
        tools: Sequence[Tool],
        *,
        tail: str,
        reasoning: ReasoningFormat,
        make_id: Callable[[], str],
    ) -> None:
        super().__init__(reasoning, make_id)
        self.is_reasoning = is_open(form, tail)
        self._markers = form.reasoning
        controls = form.control_tokens
        reading = CallReading(self._scanner, self._collector, form.calls, tools, controls)
        self._reader = call_reader(reading) if tools else None
        self._section_open = reading.atoms(form.calls.section_open)
        self._section_close = reading.atoms(form.calls.section_close)
        self._call_open = reading.atoms(form.calls.call_open)
        self._separator = form.calls.call_separator.strip()
        opening = (*self._section_open, *self._call_open) if self._reader is not None else ()
        self._trigger = opening[0] if opening else ""
        self._is_bare = self._reader is not None and not opening
        self._content_open = atoms(form.content.open, controls) if form.content is not None else ()
        self._content_close = atoms(form.content.close, controls) if form.content is not None else ()
        self._leads, self._marks = self._all_marks(controls)
        self._is_called = bool(self._trigger) and not self.is_reasoning and tail.rstrip().endswith(self._trigger)

    def _all_marks(self, controls: Sequence[str]) -> tuple[tuple[str, ...], Marks]:
        """What is looked for where content may begin, and anywhere in it."""
        anywhere = [self._trigger, *self._content_close[:1]]
        # Where a call begins like content, what follows tells.
        if self._content_open and not self._content_open[0].startswith(self._trigger or "\n"):
            anywhere.append(self._content_open[0])
        leads: list[str] = []
        if self._markers is not None:
            (anywhere if self._markers.open in controls else leads).append(self._markers.open.strip())
        found = tuple(filter(None, anywhere))
        return (*filter(None, leads), *found) if leads else (), Marks(found)

    def _answer(self) -> Reading[None]:
        if self.is_reasoning:
            yield from self._reason("")
        elif self._is_called:
            self._scanner.hold()
            yield from self._section()
        elif self._is_bare:
            yield from self._bare()
        while (mark := (yield from self._content())) is not None:
            if self._markers is not None and mark == self._markers.open.strip():
                yield from self._reason(mark)
            elif mark == self._trigger:
                self._scanner.hold(mark)
                yield from self._section()
            else:
                self._collector.mark()

    def _content(self) -> Reading[str | None]:
        """Pass on content up to the next mark, which is taken; None at the end."""
        scanner, collector = self._scanner, self._collector
        if self._leads and not collector.has_content:
            while (char := (yield from scanner.peek())) and char in BLANKS:
                collector.content(scanner.take(1))
            mark = (yield from scanner.next_of(self._leads)) if char else ""
            if mark:
                scanner.take(len(mark))
                return mark
        return (yield from scanner.until(self._marks, collector.content))

    def _reason(self, opening: str) -> Reading[None]:
        """Read reasoning, whose marker was taken, and its end."""
        assert self._markers is not None
        collector = self._collector
        self.is_reasoning = True
        collector.begin_reasoning(opening)
        close = yield from self._scanner.until(Marks([self._markers.close.strip()]), collector.reasoning)
        self.is_reasoning = False
        if close is not None:
            collector.end_reasoning(close)

    def _bare(self) -> Reading[None]:
        """Read a call that is the whole answer and has no marker; anything else is content."""
        self._scanner.hold()
        yield from self._calls(is_section=False)

    def _section(self) -> Reading[None]:
        """Read calls, of whose marker the first part was taken and is held."""
        scanner = self._scanner
        opening = [*self._section_open, *self._call_open][1:]
        try:
            if not self._section_open and (yield from self._is_content(opening)):
                return
            yield from scanner.atoms(opening)
        except Unreadable:
            self._give_up(is_begun=False)
            return
        yield from self._calls(is_section=bool(self._section_open))

    def _is_content(self, opening: Sequence[str]) -> Reading[bool]:
        """Whether content begins where a call might; then its marker is taken."""
        behind = "".join(self._content_open).removeprefix(self._trigger)
        if opening or not self._content_open or behind == "".join(self._content_open):
            return False
        if not (yield from self._scanner.optional(behind)):
            return False
        self._scanner.release()
        self._collector.mark()
        return True

    def _calls(self, *, is_section: bool) -> Reading[None]:
        """Read one call, whose marker was taken, and all that follow it in the same section."""
        assert self._reader is not None
        scanner, collector = self._scanner, self._collector
        while True:
            n_begun = collector.n_begun
            try:
                yield from scanner.skip_blanks()
                yield from self._reader.read()
                collector.mark()
                if not is_section or not (yield from self._goes_on()):
                    scanner.release()
                    return
            except Unreadable:
                self._give_up(is_begun=collector.n_begun > n_begun)
                return

    def _goes_on(self) -> Reading[bool]:
        """Take what stands between two calls, or the end of the section; whether another call comes."""
        scanner = self._scanner
        scanner.hold()
        yield from scanner.skip_blanks()
        close = self._section_close
        between = (self._separator,) if self._separator else self._call_open[:1]
        if between:
            found = yield from scanner.expect_one_of([*close[:1], *between])
        else:
            found = scanner.take(len((yield from scanner.next_of(close[:1]))))
        if close and found == close[0]:
            yield from scanner.atoms(close[1:])
            scanner.release()
            self._collector.mark()
            return False
        yield from scanner.atoms(self._call_open if self._separator else self._call_open[1:])
        return True

    def _give_up(self, *, is_begun: bool) -> None:
        """What is held is no call: it is content, but for the beginning of a marker at the very end of the text."""
        held = self._scanner.release()
        if held and not (is_begun and self._scanner.is_at_end):
            self._collector.content(held)


def call_reader(reading: CallReading) -> CallReader | None:
    """The reader for a style; None if there is none."""
    form = reading.form
    match form.style:
        case CallStyle.JSON:
            return JsonCalls(reading)
        case CallStyle.NAME_KEY:
            return NameKeyCalls(reading)
        case CallStyle.NAME_JSON:
            return NameJsonCalls(reading)
        case CallStyle.PYTHON:
            return python_calls(reading)
        case CallStyle.TAGGED:
            return braced_calls(reading) if is_braced(form) else TaggedCalls(reading)
        case _:
            return None


def is_braced(form: CallFormat) -> bool:
    """Whether arguments stand in braces, not between marks of their own."""
    return form.style is CallStyle.TAGGED and not form.argument_open


def is_open(form: ChatFormat, tail: str) -> bool:
    """Whether the end of a prompt has opened reasoning that it does not close."""
    if form.reasoning is None:
        return False
    opened = tail.rfind(form.reasoning.open.strip())
    return opened > tail.rfind(form.reasoning.close.strip())
