"""Calls whose arguments stand between marks of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.dialogue.chat_format import CallFormat, CallStyle
from service.dialogue.template.around import Around
from service.dialogue.template.probes import FIRST, LEFT, NUMBER, OTHER_VALUE, RIGHT, SECOND, VALUE
from service.dialogue.template.tags import common_beginning, common_end, from_first_tag, same_beginning

if TYPE_CHECKING:
    from service.dialogue.template.seen import SeenCalls


def tagged_format(seen: SeenCalls) -> CallFormat | None:
    """The format of such calls; None if these are none."""
    one = _split(seen.one, FIRST, LEFT, VALUE)
    texts = _split(seen.texts, FIRST, LEFT, VALUE, RIGHT, OTHER_VALUE)
    mixed = _split(seen.mixed, FIRST, LEFT, VALUE, RIGHT, str(NUMBER))
    if one is None or texts is None or mixed is None:
        return None
    if one[2].endswith(('"', "'")) and one[3].startswith(one[2][-1]):
        return None  # JSON with line breaks in it, or Python's idea of it
    before, name_to_argument, argument_to_text, text_to_end = one
    text_to_argument, argument_to_number, number_to_end = texts[3], mixed[4], mixed[5]
    argument_open = from_first_tag(common_end(name_to_argument, text_to_argument))
    name_close = name_to_argument.removesuffix(argument_open)
    argument_name_close = same_beginning(argument_to_text, argument_to_number)
    string_close = text_to_end.removesuffix(number_to_end) if text_to_end.endswith(number_to_end) else ""
    rest = text_to_argument.removesuffix(argument_open)
    value_close = common_beginning(rest, text_to_end)
    behind = text_to_end[len(value_close) :]
    form = CallFormat(
        CallStyle.TAGGED,
        name_close=name_close,
        argument_open=argument_open,
        argument_name_close=argument_name_close,
        argument_close=value_close.removeprefix(string_close),
        argument_separator=rest[len(value_close) :],
        string_open=argument_to_text[len(argument_name_close) :],
        string_close=string_close,
        value_open=argument_to_number[len(argument_name_close) :],
    )
    between = None
    if seen.pair is not None:
        first_end = seen.pair.find(VALUE) + len(VALUE) + len(value_close)
        between = seen.pair[first_end : seen.pair.find(SECOND, first_end)]
        behind = seen.pair.rpartition(OTHER_VALUE)[2].removeprefix(value_close)
    return Around(before, between, behind).apply(form)


def _split(text: str, *words: str) -> list[str] | None:
    """What stands before, between and behind words that follow each other in a text; None if they do not."""
    parts = []
    for word in words:
        part, found, text = text.partition(word)
        if not found:
            return None
        parts.append(part)
    return [*parts, text]
