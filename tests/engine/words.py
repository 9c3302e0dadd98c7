"""How texts, tokens and numbers are written in transcripts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from service.testing.scripted_model import BOS, EOS

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Characters in a row from which on they are shown as one, times their number.
_LONG_RUN = 6
_SPECIAL = {BOS: "<bos>", EOS: "<eos>"}


def show(text: str) -> str:
    """A text in the way in which commands write it, with long runs of one character as repetitions."""
    parts: list[str] = []
    plain = ""
    for run in re.finditer(r"(.)\1*", text, re.DOTALL):
        if len(run[0]) < _LONG_RUN:
            plain += run[0]
            continue
        if plain:
            parts.append(json.dumps(plain, ensure_ascii=False))
            plain = ""
        parts.append(f"{json.dumps(run[1], ensure_ascii=False)}*{len(run[0])}")
    if plain or not parts:
        parts.append(json.dumps(plain, ensure_ascii=False))
    return "+".join(parts)


def text_of(tokens: Sequence[int]) -> str:
    """Tokens as text; what is no character as ``<e2>``."""
    known = [_SPECIAL[token].encode() if token in _SPECIAL else bytes([token]) for token in tokens]
    text = b"".join(known).decode(errors="surrogateescape")
    return re.sub(r"[\udc80-\udcff]", lambda byte: f"<{ord(byte[0]) - 0xDC00:02x}>", text)


def span(first: int, last: int) -> str:
    """Numbers from the first to the last one."""
    return str(first) if first == last else f"{first}-{last}"


def positions(first: int, last: int) -> str:
    """The same for positions, with their name."""
    return f"position{'s' * (first < last)} {span(first, last)}"
