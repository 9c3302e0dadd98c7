"""Grammars that requests ask for by kind: choices and JSON objects."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"})

#: Any JSON object (RFC 8259). White space is at most a newline with indentation, because models can go on with blanks
#: for ever; numbers have at most 16 digits before and after the point for the same reason.
JSON_OBJECT = r"""root ::= object
value ::= object | array | string | number | ("true" | "false" | "null") space
object ::= "{" space (member ("," space member)*)? "}" space
member ::= string ":" space value
array ::= "[" space (value ("," space value)*)? "]" space
string ::= "\"" ([^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\"" space
number ::= "-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,3})? space
space ::= "" | " " | "\n" [ \t]{0,20}
"""


def choice_grammar(texts: Iterable[str]) -> str:
    """The grammar that allows exactly one of these texts.

    Texts that begin alike share a rule up to where they differ: the library follows every alternative that is still
    possible separately, and so they cost it less.
    """
    rules = [sorted(set(texts))]
    lines = []
    # The list grows while it is walked: a rule appends the rules that it refers to.
    for number, remainders in enumerate(rules):
        alternatives = []
        for _, group in itertools.groupby(remainders, key=lambda remainder: remainder[:1]):
            members = list(group)
            shared = _shared_prefix(members[0], members[-1])
            literal = f'"{shared.translate(_ESCAPES)}"'
            if len(members) > 1:
                rules.append([member[len(shared) :] for member in members])
                literal += f" {_rule_name(len(rules) - 1)}"
            alternatives.append(literal)
        lines.append(f"{_rule_name(number)} ::= {' | '.join(alternatives)}")
    return "\n".join(lines)


def _shared_prefix(first: str, last: str) -> str:
    """What all texts between two in sorted order begin with."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(character for character, _ in pairs)


def _rule_name(number: int) -> str:
    return f"rest-{number}" if number else "root"
