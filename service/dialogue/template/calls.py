"""How a template writes calls: the style, and what stands around its parts."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from service.dialogue.chat_format import CallFormat, CallStyle
from service.dialogue.template.around import Around
from service.dialogue.template.probes import FIRST, IDS, LEFT, NUMBER, OTHER_VALUE, RIGHT, SECOND, VALUE
from service.dialogue.template.tagged import tagged_format
from service.dialogue.writing import WrittenCall, write_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.dialogue.template.seen import SeenCalls

_ONE, _OTHER = {LEFT: VALUE}, {LEFT: OTHER_VALUE}


def call_format(seen: SeenCalls) -> CallFormat | None:
    """The format of calls; None if none is known that writes them as the template does."""
    for find in (_json_format, _name_json_format, _python_format, tagged_format):
        found = find(seen)
        if found is not None and _is_right(found, seen):
            return found
    return None


def _is_right(form: CallFormat, seen: SeenCalls) -> bool:
    """Whether a format writes what the template wrote; blanks, kinds of quotes and the order of keys aside."""
    identity = _id_in(seen.one) if form.id_key else IDS[0]
    one = WrittenCall(FIRST, _ONE, identity)
    mixed = replace(one, arguments={LEFT: VALUE, RIGHT: NUMBER})
    # Some templates close a section only if there are several calls in it.
    alone = form if seen.pair is None else replace(form, section_close="")
    expected = [(alone, [one], seen.one), (alone, [mixed], seen.mixed)]
    if seen.pair is not None and not form.id_key:
        expected.append((form, [one, WrittenCall(SECOND, _OTHER, IDS[1])], seen.pair))
    return (
        not _holds_words(form)
        and _is_told_from_text(form)
        and all(_comparable(write_calls(calls, written)) in _comparable(text) for written, calls, text in expected)
    )


def _is_told_from_text(form: CallFormat) -> bool:
    """Whether calls begin with a mark that no ordinary text has, or, in JSON, with none at all.

    Behind a mere bracket an answer with tools could hold nothing but a call.
    """
    opening = form.section_open + form.call_open
    return any(letter.isalnum() for letter in opening) or (form.style is CallStyle.JSON and not opening)


def _holds_words(form: CallFormat) -> bool:
    """Whether a name of the probes is taken for a mark: the template writes it in several places."""
    texts = [value for one in fields(form) if isinstance(value := getattr(form, one.name), str)]
    return any(word in text for text in texts for word in (FIRST, SECOND, LEFT, VALUE))


def _comparable(text: str) -> str:
    parts, done = [], 0
    for start, end, found in _objects_in(text):
        if start >= done:
            parts += [text[done:start], json.dumps(found, sort_keys=True)]
            done = end
    return "".join("".join([*parts, text[done:]]).replace("'", '"').split())


def _json_format(seen: SeenCalls) -> CallFormat | None:
    """A JSON object with name and arguments, or with the name as its key."""
    first = next(_calls_as_objects(seen.one, FIRST, _ONE), None)
    if first is None:
        return None
    start, end, form = first
    between, behind = None, seen.one[end:]
    if seen.pair is not None:
        one = next(_calls_as_objects(seen.pair, FIRST, _ONE), None)
        two = next(_calls_as_objects(seen.pair, SECOND, _OTHER), None)
        if one is None or two is None:
            return None
        form = two[2]  # a template may leave out the id of a call that is alone
        between = seen.pair[one[1] : two[0]]
        behind = seen.pair[two[1] :]
    return Around(seen.one[:start], between, behind).apply(form)


def _calls_as_objects(text: str, name: str, arguments: dict[str, Any]) -> Iterator[tuple[int, int, CallFormat]]:
    """Start, end and form of objects in a text that are this call."""
    for start, end, found in _objects_in(text):
        names = [key for key, value in found.items() if value == name]
        values = [key for key, value in found.items() if value == arguments]
        if found == {name: arguments}:
            yield start, end, CallFormat(CallStyle.NAME_KEY)
        elif names and values:
            identity = [key for key, value in found.items() if value in IDS or ("id" in key and key not in names)]
            yield (
                start,
                end,
                CallFormat(
                    CallStyle.JSON,
                    name_key=names[0],
                    arguments_key=values[0],
                    id_key=identity[0] if identity else "",
                    id_first=next(iter(found)) in identity,
                ),
            )


def _name_json_format(seen: SeenCalls) -> CallFormat | None:
    """The name, then the arguments as a JSON object."""
    first = _name_and_object(seen.one, FIRST, _ONE)
    if first is None:
        return None
    before, behind_name, end = first
    form = CallFormat(CallStyle.NAME_JSON)
    between = second_suffix = None
    behind = seen.one[end:]
    if seen.pair is not None:
        one, two = _name_and_object(seen.pair, FIRST, _ONE), _name_and_object(seen.pair, SECOND, _OTHER)
        if one is None or two is None:
            return None
        between, second_suffix = two[0].removeprefix(seen.pair[: one[2]]), two[1]
        behind = seen.pair[two[2] :]
    if behind_name.startswith(":0") and (second_suffix is None or second_suffix.startswith(":1")):
        form, behind_name = replace(form, name_suffix=":{index}"), behind_name[2:]
        prefix = re.search(r"[\w.]*$", before)
        form = replace(form, name_prefix=prefix[0] if prefix else "")
        before = before.removesuffix(form.name_prefix)
        between = None if between is None else between.removesuffix(form.name_prefix)
    id_open, found, name_close = behind_name.partition(IDS[0])
    form = replace(form, id_open=id_open, name_close=name_close) if found else replace(form, name_close=behind_name)
    outside, found, id_close = before.rpartition(IDS[0])
    if found:
        form, before = replace(form, id_close=id_close), outside
        between = None if between is None else between.rpartition(IDS[1])[0]
    return Around(before, between, behind).apply(form)


def _name_and_object(text: str, name: str, arguments: dict[str, Any]) -> tuple[str, str, int] | None:
    """What stands before a call's name, and between it and the arguments; and where these end."""
    for start, end, found in _objects_in(text):
        before, is_named, between = text[:start].rpartition(name)
        if found == arguments and is_named:
            return before, between, end
    return None


def _python_format(seen: SeenCalls) -> CallFormat | None:
    """A call of Python."""
    quote = '"' if f"={json.dumps(VALUE)}" in seen.one else "'"
    one, other = f"{FIRST}({LEFT}={quote}{VALUE}{quote})", f"{SECOND}({LEFT}={quote}{OTHER_VALUE}{quote})"
    before, found, behind = seen.one.partition(one)
    if not found:
        return None
    between = None
    if seen.pair is not None:
        between, _, behind = seen.pair.partition(one)[2].partition(other)
    return Around(before, between, behind).apply(CallFormat(CallStyle.PYTHON))


def _objects_in(text: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", text):
        try:
            found, end = decoder.raw_decode(text, match.start())
        except (ValueError, RecursionError):
            continue
        yield match.start(), end, found


def _id_in(text: str) -> str:
    """The id of the call in a text, "" if it has none."""
    for _, _, found in _objects_in(text):
        for key, value in found.items():
            if isinstance(value, str) and value != FIRST and "id" in key:
                return value
    return ""
