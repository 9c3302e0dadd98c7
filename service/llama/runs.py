"""Cuts texts where the library's tokenizer would overflow the stack.

For a third of the BPE vocabularies (DeepSeek's, Falcon's, Mistral's, GPT-4o's among them) the library splits texts with
``std::regex``, which recurses once per character of a match: 330 bytes of stack each, and the process is gone after
25,000 letters without a space. No word of any language is that long.
"""

from __future__ import annotations

import re

#: Characters of a run that are left together: 1.4 MB of stack, of the 8 MB that threads have.
MAX_RUN = 4096

_LONG_RUN = re.compile(rf"\S{{{MAX_RUN + 1},}}|\s{{{MAX_RUN + 1},}}")
# Splitters end a word in front of . , ; ! ? and their wide forms, so a cut there changes nothing. Chinese and Japanese
# prose has no spaces, but is full of them.
_WORD_END = re.compile(r"(?<=\w)(?=[.,;!?\u3001\u3002\uff0c\uff1b\uff01\uff1f\u2026])")


def cut_long_runs(text: str) -> list[str]:
    """The text in parts, none of which has a run of more than ``MAX_RUN`` characters without or with only whitespace.

    Cuts in front of punctuation if there is any near the end of a part, else anywhere: the tokens at such a cut may
    differ from those of the uncut text.
    """
    if len(text) <= MAX_RUN:
        return [text]
    parts = []
    start = 0
    for run in _LONG_RUN.finditer(text):
        position = run.start()
        while run.end() - position > MAX_RUN:
            position = _cut(text, position, position + MAX_RUN)
            parts.append(text[start:position])
            start = position
    parts.append(text[start:])
    return parts


def _cut(text: str, start: int, limit: int) -> int:
    """The last good place in the second half of ``text[start:limit]``, or its end."""
    places = [place.start() for place in _WORD_END.finditer(text, (start + limit) // 2, limit)]
    return places[-1] if places else limit
