"""How long the regular expressions of a Lark grammar are, once the terminals in them stand for what they mean.

The library writes them out before it compares their size with any limit, and a few lines can mean millions of
characters: ``A: B B B ...`` with ``B: C C C ...``.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

#: What a grammar consists of, as the library divides it. Names in literals, expressions and comments are none.
_TOKENS = re.compile(
    r"""
    (?P<comment>//[^\n]*|\#[^\n]*)
  | (?P<literal>"(?:\\.|[^"\\\n])*"|/(?:\\.|[^/\\])+/|<[^<>\s]+>)
  | (?P<terminal>_?[A-Z][_A-Z0-9-]*)
  | (?P<rule>!?[_?]?[a-z][_a-z0-9-]*)
  | (?P<begin>(?:\.\s*-?\d+\s*)?(?:\[(?:"(?:\\.|[^"\\\n])*"|/(?:\\.|[^/\\])+/|[^\[\]"/])*\]\s*)?(?:::\s*[^\n:]*)?:(?!:))
  | (?P<other>\S)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(slots=True)
class _Definition:
    length: int = 0
    names: Counter[str] = field(default_factory=Counter)


def terminal_lengths(text: str) -> dict[str, int]:
    """The length of each terminal's expression, at least; terminals that mean themselves count once."""
    definitions = _definitions(text)
    lengths: dict[str, int] = {}
    # Terminals mean others by name in any order, so they are followed; by a list, for they may be many.
    for name in definitions:
        waiting, begun = [name], set[str]()
        while waiting:
            one = waiting[-1]
            begun.add(one)
            if one in lengths:
                waiting.pop()
                continue
            used = (other for other, count in definitions[one].names.items() if count and other in definitions)
            unknown = [other for other in used if other not in lengths and other not in begun]
            if unknown:
                waiting += unknown
                continue
            lengths[one] = definitions[one].length + sum(
                count * lengths.get(other, 1) for other, count in definitions[one].names.items()
            )
            waiting.pop()
    return lengths


def longest_expression(text: str) -> int:
    """Characters of the longest regular expression."""
    literals = (token["literal"] or "" for token in _TOKENS.finditer(text))
    return max((len(literal) for literal in literals if literal.startswith("/")), default=0)


def _definitions(text: str) -> dict[str, _Definition]:
    """Terminals by name. Rules are left out: what they consist of stays apart."""
    definitions: dict[str, _Definition] = {}
    current, last, last_kind = _Definition(), "", ""
    for token in _TOKENS.finditer(text):
        kind = token.lastgroup or ""
        if kind == "begin" and last_kind in ("terminal", "rule"):
            # The name before it was that of a definition, not part of the one before.
            if last_kind == "terminal":
                current.names[last] -= 1
            current = definitions.setdefault(last, _Definition()) if last_kind == "terminal" else _Definition()
        elif kind == "terminal":
            current.names[token[0]] += 1
        elif kind == "literal":
            current.length += len(token[0])
        if kind != "comment":
            last, last_kind = token[0], kind
    return definitions
