"""A chat template's format of answers, found out once, when its model is loaded.

Nothing is recognised by the name of a model. A template is made to render conversations of words that nobody else uses;
what is common to them and what stands between those words are the marks. A few templates do not show how their models
call tools; those are known by words in them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from service.dialogue.chat_format import (
    HERMES,
    CallFormat,
    CallIds,
    ChatFormat,
    ContentMarkers,
    HistoryFormat,
)
from service.dialogue.known_formats import KNOWN_FORMATS
from service.dialogue.template.calls import call_format
from service.dialogue.template.probes import (
    FIRST,
    LEFT,
    OTHER_VALUE,
    RESULT,
    SECOND,
    SYSTEM,
    TEXT,
    TOOLS,
    USER,
    VALUE,
    GaveUp,
    Probe,
    Prober,
)
from service.dialogue.template.reasoning import reasoning_key, reasoning_markers, reasoning_switches
from service.dialogue.template.seen import see_calls
from service.dialogue.template.special import special_format
from service.dialogue.template.tags import common_beginning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.dialogue.template.probes import Render

#: What is said of a template that cannot be analysed: the server writes calls and results as texts of the turns.
UNKNOWN = ChatFormat(
    HERMES, source="fallback", history=HistoryFormat(renders_calls=False, knows_tool_role=False, knows_developer=True)
)
_LONG_ID = "call_" + "q" * 24
_ROLE = "quxrole"


def analyse(
    source: str, render: Render, *, end_names: Sequence[str] = (), chosen: ChatFormat | None = None
) -> ChatFormat:
    """The format of answers that a chat template stands for; ``control_tokens`` are not filled in.

    Args:
        source: the template.
        render: renders with it.
        end_names: names of the tokens at which generation ends.
        chosen: how calls are written, whatever the template shows, and reasoning and content, if it says so; None to
            find all of that out.
    """
    try:
        found = _Analysis(source, render, tuple(end_names), chosen).run()
    except GaveUp:
        found = UNKNOWN if chosen is None else replace(UNKNOWN, calls=chosen.calls)
    if chosen is None:
        return found
    return replace(
        found,
        source="option",
        reasoning=chosen.reasoning or found.reasoning,
        content=chosen.content or found.content,
    )


@dataclass(frozen=True, slots=True)
class _Analysis:
    source: str
    render: Render
    end_names: tuple[str, ...]
    chosen: ChatFormat | None

    def run(self) -> ChatFormat:
        prober, calls = self._fitting_prober()
        prober_or_plain = prober or Prober(self.render)
        name = special_format(self.source, writes_calls=prober is not None)
        markers = reasoning_markers(prober_or_plain, self.source)
        known_format = self.chosen or KNOWN_FORMATS.get(name or "")
        if known_format is not None:
            calls = known_format.calls
        elif calls is not None and markers is not None:
            calls = _without_marks(calls, markers.open, markers.close)
        known = calls is not None
        renders_calls = known and prober is not None
        return ChatFormat(
            calls=calls or HERMES,
            source="template" if known else "fallback",
            reasoning=markers or (known_format.reasoning if known_format else None),
            content=(known_format.content if known_format else None) or self._content_markers(prober_or_plain),
            reasoning_switches=reasoning_switches(self.render, self.source),
            # A template that shows tools but not how they are called would leave the model without a word for it.
            renders_tools=known and self._renders_tools(),
            history=self._history(prober_or_plain, renders_calls=renders_calls, known=known),
        )

    def _fitting_prober(self) -> tuple[Prober | None, CallFormat | None]:
        """What renders calls as the template wants them, None if it writes none; and how it writes them, if known."""
        numbered = "<|tool_call_argument_begin|>" in self.source
        fallback = None
        for prober in Prober(self.render, numbered_ids=numbered).variants():
            text = prober.calls((FIRST, {LEFT: VALUE}))
            turn = "" if text is None else text.rpartition(USER)[2]
            # Arguments must not be JSON inside of JSON, nor missing content a word.
            is_odd = f'\\"{LEFT}' in turn or (prober.null_content and "None" in turn)
            if all(word in turn for word in (FIRST, LEFT, VALUE)) and not is_odd:
                fallback = fallback or prober
                seen = see_calls(prober, self.end_names)
                calls = None if seen is None else call_format(seen)
                if calls is not None:
                    return prober, calls
        return fallback, None

    def _renders_tools(self) -> bool:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}]
        texts = [self.render(Probe(turns, TOOLS, True)) for turns in (messages, messages[1:])]
        return any(text is not None and FIRST in text and SECOND in text for text in texts)

    def _content_markers(self, prober: Prober) -> ContentMarkers | None:
        """What stands around a text, but neither around calls nor in front of what the model adds."""
        text, opened = prober.text(), self.render(Probe([{"role": "user", "content": USER}], TOOLS, True))
        called = prober.calls((FIRST, {LEFT: VALUE}))
        if text is None or opened is None or called is None:
            return None
        before, _, behind = text.rpartition(USER)[2].partition(TEXT)
        opening = before[len(common_beginning(before, opened.rpartition(USER)[2])) :].strip()
        if not (opening.startswith("<|") and opening.endswith("|>") and opening.count("<") == 1):
            return None
        if opening in called.rpartition(USER)[2]:
            return None
        closing = opening.replace("START", "END").replace("begin", "end")
        found = closing != opening and behind.lstrip().startswith(closing)
        return ContentMarkers(opening, closing if found else "")

    def _history(self, prober: Prober, *, renders_calls: bool, known: bool) -> HistoryFormat:
        one = ((FIRST, {LEFT: VALUE}),)
        two = prober.calls(*one, (SECOND, {LEFT: OTHER_VALUE}))
        results = prober.calls(*one, results=(RESULT,))
        ids = CallIds.ANY
        if prober.numbered_ids:
            ids = CallIds.NUMBERED
        elif renders_calls and replace(prober, ids=(_LONG_ID, _LONG_ID)).calls(*one, results=(RESULT,)) is None:
            ids = CallIds.NINE if results is not None else CallIds.ANY
        return HistoryFormat(
            arguments_as_text=prober.arguments_as_text,
            null_content=prober.null_content,
            parallel=not renders_calls or (two is not None and OTHER_VALUE in two),
            call_ids=ids,
            renders_calls=renders_calls,
            content_beside_calls=not renders_calls or self._writes_calls_beside_content(prober),
            reasoning_key=reasoning_key(prober),
            knows_tool_role=known and results is not None and RESULT in results,
            knows_developer=self._knows_role("developer"),
            knows_system=self._shows_role("system") is not None,
        )

    def _writes_calls_beside_content(self, prober: Prober) -> bool:
        text = prober.calls((FIRST, {LEFT: VALUE}), content=TEXT)
        return text is None or VALUE in text.rpartition(USER)[2]

    def _shows_role(self, role: str) -> str | None:
        """A conversation that begins with a turn of a role, if the template writes the text of that turn."""
        messages = [{"role": role, "content": SYSTEM}, {"role": "user", "content": USER}]
        # Some templates fail if there are no tools.
        texts = (self.render(Probe(messages, tools)) for tools in (None, TOOLS))
        return next((text for text in texts if text is not None and SYSTEM in text), None)

    def _knows_role(self, role: str) -> bool:
        """Whether the template does something else with a role than with one that does not exist."""
        text, other = self._shows_role(role), self._shows_role(_ROLE)
        return text is not None and (other is None or other.replace(_ROLE, role) != text)


def _without_marks(calls: CallFormat, *marks: str) -> CallFormat:
    """A format of calls without marks of reasoning in front of it: those of an empty block."""
    name = "section_open" if calls.section_open else "call_open"
    text = getattr(calls, name)
    for mark in marks:
        text = text.removeprefix(mark).lstrip()
    return replace(calls, **{name: text})
