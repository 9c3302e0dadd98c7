"""The grammar of a whole answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.dialogue.chat_format import CallStyle, ChatFormat
from service.dialogue.grammar.calls import CallRules
from service.dialogue.grammar.harmony import harmony_grammar
from service.dialogue.grammar.lark import ANY, BLANKS, Grammar, choice, optional, pattern, sequence
from service.dialogue.parsing.answer import is_open
from service.dialogue.parsing.scanner import atoms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.dialogue.grammar.allowed import Answer

#: Blanks between reasoning and what follows it; a model may go on with blanks for ever.
_GAP = r"/[ \t\r\n]{0,8}/"


def answer_grammar(form: ChatFormat, answer: Answer, *, tail: str, token_ids: Mapping[str, int]) -> str:
    """The grammar of an answer, in Lark. Behind calls it allows what the format does, and nothing that is none.

    Args:
        form: how answers are written.
        answer: what it may be; there are tools, or content obeys an expression.
        tail: the end of the prompt, which may have opened reasoning or content already.
        token_ids: ids of the control tokens in the markers of ``form``, by their names.
    """
    if form.calls.style is CallStyle.HARMONY:
        return harmony_grammar(answer, tail=tail, token_ids=token_ids)
    return _AnswerRules(form, answer, tail, token_ids).whole()


class _AnswerRules:
    def __init__(self, form: ChatFormat, answer: Answer, tail: str, token_ids: Mapping[str, int]) -> None:
        self._form = form
        self._answer = answer
        self._grammar = grammar = Grammar(token_ids)
        self._is_thinking = is_open(form, tail)
        self._rules = CallRules(grammar, form.calls, form.history.call_ids)
        calls = form.calls
        self._opening = (calls.section_open + calls.call_open).lstrip()
        self._trigger = (*atoms(self._opening, grammar.controls), "")[0]
        self._is_called = bool(self._trigger) and not self._is_thinking and tail.rstrip().endswith(self._trigger)
        markers = form.reasoning
        #: Content cannot begin like reasoning, which may have markers of calls in it.
        self._unless = ""
        if markers is not None and not self._is_thinking and not grammar.has_control(markers.open):
            self._unless = BLANKS + pattern(markers.open.strip())

    def whole(self) -> str:
        """All of it."""
        thinking = self._reasoning()
        body = self._body()
        if thinking and (self._answer.is_required or self._answer.content):
            thinking = sequence(thinking, _GAP)
        if self._begins_with_gap:
            return self._grammar.complete(sequence(_GAP, optional(thinking), body))
        return self._grammar.complete(sequence(thinking if self._is_thinking else optional(thinking), body))

    @property
    def _begins_with_gap(self) -> bool:
        """Whether blanks in front of reasoning and of calls, which some families write, are a terminal of their own.

        Texts that begin with blanks can do without, and those that may be either would have two beginnings.
        """
        return self._answer.is_required and not self._is_called and not self._is_thinking

    def _reasoning(self) -> str:
        """Reasoning, behind what the prompt has of it; "" if there is none."""
        grammar, markers = self._grammar, self._form.reasoning
        if markers is None or self._is_called:
            return ""
        opened = markers.open.strip()
        # What closes reasoning ends it with its first part.
        closed = atoms(markers.close, grammar.controls)[0]
        rest = markers.close.strip()[len(closed) :]
        behind = grammar.marker(rest) if rest else ""
        if self._is_thinking:
            return sequence(grammar.up_to(closed), behind)
        if grammar.has_control(opened):
            gap = "" if self._begins_with_gap else _GAP
            return sequence(gap, grammar.marker(opened), grammar.up_to(closed), behind)
        begin = f"{'' if self._begins_with_gap else BLANKS}{pattern(opened)}{ANY}"
        if grammar.is_control(closed):
            return sequence(grammar.terminal(f"/{begin}/"), grammar.marker(closed), behind)
        return sequence(grammar.rule(grammar.terminal(f"/{begin}{pattern(closed)}/"), lazy=True), behind)

    def _body(self) -> str:
        answer, grammar = self._answer, self._grammar
        if not answer.tools:
            return self._content(answer.content)
        calls = self._calls()
        if self._begins_like_content:
            return self._parts(calls)
        opened = sequence("" if self._is_called else grammar.marker(self._trigger), calls)
        if answer.is_required or self._is_called:
            return opened
        if answer.content:
            return choice([self._content(answer.content), opened])
        if not self._trigger:
            return choice([calls, grammar.terminal(r"/[ \t\r\n]*([^{ \t\r\n](.|\n)*)?/")])
        return self._free(calls)

    @property
    def _begins_like_content(self) -> bool:
        content = self._form.content
        return content is not None and bool(self._trigger) and content.open.startswith(self._trigger)

    def _free(self, calls: str) -> str:
        """Content in which the trigger begins calls; without parallel calls it ends with the first one."""
        grammar = self._grammar
        text = self._marked(grammar.text(unless=self._unless))
        first = sequence(self._up_to_trigger(self._unless), calls)
        if not self._answer.is_parallel:
            return choice([text, first])
        more = grammar.rule(sequence(self._up_to_trigger(), calls))
        return choice([text, sequence(first, f"({more})*", grammar.text())])

    def _up_to_trigger(self, unless: str = "") -> str:
        """Content up to the trigger, and that."""
        grammar, trigger = self._grammar, self._trigger
        if not grammar.is_control(trigger):
            return grammar.up_to(trigger, unless=unless)
        return sequence(self._marked(grammar.text(unless=unless)), _GAP, grammar.marker(trigger))

    def _marked(self, text: str) -> str:
        """Content with the control tokens that may be around it; marks that are text are part of it."""
        grammar, content = self._grammar, self._form.content
        if content is None:
            return text
        marks = (
            grammar.marker(mark) if grammar.is_control(mark.strip()) else "" for mark in (content.open, content.close)
        )
        opened, closed = map(optional, marks)
        return sequence(opened, text, closed)

    def _parts(self, calls: str) -> str:
        """An answer whose content begins like a call does."""
        grammar, answer = self._grammar, self._answer
        assert self._form.content is not None
        opening = grammar.marker(self._form.content.open[len(self._trigger) :])
        trigger = grammar.marker(self._trigger)
        some = calls if not answer.is_parallel else sequence(calls, f"({sequence(trigger, calls)})*")
        options = [some]
        if answer.content:
            options.append(sequence(opening, answer.content))
        elif not answer.is_required:
            options.append(sequence(opening, grammar.text()))
            options.append(sequence(opening, grammar.up_to(self._trigger), some))
        return sequence("" if self._is_called else trigger, choice(options))

    def _calls(self) -> str:
        """Calls behind the trigger, to the end of their section."""
        grammar, form, answer = self._grammar, self._form.calls, self._answer
        one = self._rules.call(answer.tools)
        rest = grammar.marker(self._opening[len(self._trigger) :])
        more = ""
        # Without a section, free text may hold further calls.
        is_last = answer.is_required or answer.content
        is_separate = is_last and not self._begins_like_content and bool(self._trigger)
        if answer.is_parallel and (form.section_open or is_separate):
            more = f"({sequence(grammar.marker(form.call_separator + form.call_open), one)})*"
        return grammar.rule(sequence(rest, one, more, grammar.marker(form.section_close)))

    def _content(self, expression: str) -> str:
        """Content that obeys an expression, with its marks."""
        content, grammar = self._form.content, self._grammar
        if content is None:
            return expression
        opening = content.open[len(self._trigger) :] if self._is_called else content.open
        return sequence(grammar.marker(opening), expression, optional(grammar.marker(content.close)))
