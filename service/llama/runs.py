"""Cuts texts where the library's tokenizer would overflow the stack.

For a third of the BPE vocabularies (those of DeepSeek, Falcon, Mistral and GPT-4o among them) the library splits texts
with ``std::regex``, which calls itself once for each character of a match. Each call takes 330 bytes of stack, so
25,000 letters without a space end the process. No word of any language is that long. For one vocabulary (EXAONE-MoE's)
a match goes on over single spaces, up to punctuation, a digit or the end of a line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

#: Most characters of a run that is left whole: 1.4 MB of stack, of the 8 MB that threads have.
MAX_RUN = 4096

# White space for the library; Python's \s also has the separators U+001C to U+001F.
_SPACE = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_NO_PHRASE = "\x00-\x1f!-@\\[-`{-\x7f"


def _long(characters: str) -> str:
    """A pattern for more than ``MAX_RUN`` of them, tried only where a run begins: else it would take quadratic time."""
    return rf"(?<![{characters}])[{characters}]{{{MAX_RUN + 1},}}"


_LONG_RUN = re.compile(f"{_long('^' + _SPACE)}|{_long(_SPACE)}")
_LONG_PHRASE = re.compile(_long("^" + _NO_PHRASE))
# Pre-tokenizers end a word in front of a space, and in front of . , ; ! ? and their wide forms, so a cut there changes
# nothing. Chinese and Japanese texts have no spaces, but many of the others.
_WORD_END = re.compile(r"(?<=\S)(?= \S)|(?<=\w)(?=[.,;!?\u3001\u3002\uff0c\uff1b\uff01\uff1f\u2026])")


def cut_long_runs(text: str, names: Collection[str] = ()) -> list[str]:
    """The text in parts, none of which has more than ``MAX_RUN`` characters that the library might match at once.

    These are runs without white space, runs of white space, and runs of letters and spaces. A run is cut in front of a
    space or of punctuation if there is any near the end of a part, else anywhere: the tokens at such a cut may differ
    from those of the uncut text.

    Args:
        text: the text.
        names: of special tokens, through which no cut is made.
    """
    if len(text) <= MAX_RUN:
        return [text]
    return [
        part for phrase in _cut_matches(_LONG_PHRASE, text, names) for part in _cut_matches(_LONG_RUN, phrase, names)
    ]


def _cut_matches(pattern: re.Pattern[str], text: str, names: Collection[str]) -> list[str]:
    """The text in parts, none of which has a match of the pattern."""
    parts = []
    start = 0
    for run in pattern.finditer(text):
        position = run.start()
        while run.end() - position > MAX_RUN:
            position = _before_name(text, position, _cut(text, position, position + MAX_RUN), names)
            parts.append(text[start:position])
            start = position
    parts.append(text[start:])
    return parts


def _cut(text: str, start: int, limit: int) -> int:
    """The last good place in the second half of ``text[start:limit]``, or its end."""
    places = [place.start() for place in _WORD_END.finditer(text, (start + limit) // 2, limit)]
    return places[-1] if places else limit


def _before_name(text: str, start: int, place: int, names: Collection[str]) -> int:
    """The place, unless a name is around it: then the place in front of that name; behind ``start``."""
    for name in names:
        found = text.find(name, max(start + 1, place - len(name) + 1), place + len(name) - 1)
        if found != -1:
            return found
    return place
