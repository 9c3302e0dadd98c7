"""Constraints as grammars in the Lark dialect of llguidance."""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING

from llguidance import regex_to_lark

from service.constraints.blame import blame
from service.constraints.lark_size import longest_expression, terminal_lengths
from service.constraints.schema import prepare_schema, read_schema
from service.constraints.spec import ConstraintKind, ConstraintSpec, JsonStyle, UnusableConstraint
from slotline.options import max_bytes

if TYPE_CHECKING:
    from service.constraints.subschemas import Schema

#: Largest grammar that a request may bring along, in bytes; as large as one in GBNF.
MAX_LARK_BYTES = max_bytes("grammar")
#: Largest regular expression, in bytes. Compiling takes time and memory with its square: 16 KiB took 0.4 s and 120 MB.
MAX_REGEX_BYTES = 8 << 10
#: Longest expression of a terminal, and of all together, when the terminals in it stand for what they mean.
MAX_TERMINAL, MAX_TERMINALS = 8 << 10, 64 << 10
#: Most bytes of all texts of a choice.
MAX_CHOICE_BYTES = 256 << 10
#: How a request tells Lark from GBNF where both are called a grammar.
LARK_MARK = "%llguidance"
#: At the end of every grammar, where it overrules what the grammar says itself: text is what the model writes, however
#: it divides it into tokens, and is always UTF-8.
_OPTIONS = '\n%llguidance {"no_forcing": true, "allow_invalid_utf8": false}\n'
#: What may stand between tokens of JSON unless a style says otherwise.
_WHITESPACE = r" |\n[ \t]{0,20}"
#: Any JSON object (RFC 8259). Numbers have at most 16 digits before and after the point, because models can go on with
#: digits for ever.
_OBJECT = r"""start: object
object: "{{" {space} (member ("," {space} member)*)? "}}"
member: STRING {space} ":" {space} value {space}
value: object | array | STRING | NUMBER | "true" | "false" | "null"
array: "[" {space} (value {space} ("," {space} value {space})*)? "]"
STRING: /"([^"\\\x00-\x1F\x7F]|\\(["\\\/bfnrt]|u[0-9a-fA-F]{{4}}))*"/
NUMBER: /-?(0|[1-9][0-9]{{0,15}})(\.[0-9]{{1,16}})?([eE][-+]?[0-9]{{1,3}})?/
"""
_ALNUM = re.compile(r"[^0-9A-Za-z]")
_EMBEDDED_JSON = re.compile(r"%json\s*")


def whole_grammar(spec: ConstraintSpec) -> str:
    """The grammar of a constraint that is all of the output.

    Raises:
        UnusableConstraint: it is too large, or asks for what cannot be enforced.
    """
    if spec.kind is ConstraintKind.LARK:
        return spec.text + _OPTIONS
    return f"start: {lark_rule(spec)}{_OPTIONS}"


# Most requests repeat a constraint, and a large one takes some milliseconds.
@functools.lru_cache(maxsize=64)
def lark_rule(spec: ConstraintSpec) -> str:
    """A constraint as an expression in the rule of a larger grammar.

    Args:
        spec: of any kind.

    Raises:
        UnusableConstraint: it is too large, or asks for what cannot be enforced.
    """
    match spec.kind:
        case ConstraintKind.JSON_SCHEMA:
            return f"%json {json.dumps({**_schema(spec), 'x-guidance': _json_options(spec.style)})}"
        case ConstraintKind.JSON_OBJECT:
            return f"%lark {{\n{_any_object(spec.style)}}}"
        case ConstraintKind.REGEX:
            return _regex(spec.text)
        case ConstraintKind.CHOICE:
            return _choice(spec.text)
        case ConstraintKind.LARK:
            return f"%lark {{\n{spec.text}\n}}"


def explain(spec: ConstraintSpec) -> str:
    """Which part of a constraint the library refuses, and why; empty if only the whole. Needs a large stack."""
    if spec.kind is not ConstraintKind.JSON_SCHEMA:
        return ""
    return blame(_schema(spec), _json_options(spec.style))


def _schema(spec: ConstraintSpec) -> Schema:
    schema = read_schema(spec.text)
    prepare_schema(schema, spec.style)
    return schema


@functools.lru_cache(maxsize=64)
def check_lark(text: str) -> None:
    """Accept a grammar that somebody sent: neither it nor a JSON Schema in it may be too large to be compiled.

    Raises:
        UnusableConstraint: it is.
    """
    _check_size(text, MAX_LARK_BYTES, "the grammar")
    _check_terminals(text)
    decoder = json.JSONDecoder()
    for found in _EMBEDDED_JSON.finditer(text):
        try:
            schema, _ = decoder.raw_decode(text, found.end())
        except (ValueError, RecursionError):
            continue  # The library says what is wrong with it, and where; or it is not the keyword, but in a literal.
        if isinstance(schema, dict):
            prepare_schema(schema, JsonStyle())


def _json_options(style: JsonStyle) -> dict[str, object]:
    options: dict[str, object] = {"lenient": style.lenient}
    if style.disable_any_whitespace:
        return {**options, "whitespace_flexible": False}
    return {**options, "whitespace_pattern": _whitespace(style)}


def _whitespace(style: JsonStyle) -> str:
    pattern = _WHITESPACE if style.whitespace_pattern is None else style.whitespace_pattern
    _check_size(pattern, MAX_REGEX_BYTES, "the pattern of white space")
    return pattern


def _any_object(style: JsonStyle) -> str:
    if style.disable_any_whitespace:
        return _OBJECT.format(space="")
    return f"{_OBJECT.format(space='SPACE?')}SPACE: {_slashed(_whitespace(style))}\n"


def _regex(text: str) -> str:
    """A regular expression that matches all of a text. Anchors at its ends say nothing new; the library has none."""
    if not text:
        raise UnusableConstraint("is empty; give a regular expression")
    _check_size(text, MAX_REGEX_BYTES, "the expression")
    if _ends_escaped(text):
        raise UnusableConstraint("ends with a backslash; allowed is one only in front of what it stands for")
    pattern = text.removeprefix("^")
    if pattern.endswith("$") and not _ends_escaped(pattern[:-1]):
        pattern = pattern[:-1]
    return _slashed(pattern)


def _ends_escaped(text: str) -> bool:
    """Whether what follows is escaped."""
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _slashed(pattern: str) -> str:
    # Classes are ASCII, as those of JSON Schema. A group, for an expression may be empty.
    return f"/(?:{regex_to_lark(pattern, 'dw')})/"


def _choice(text: str) -> str:
    """Texts as one regular expression: a rule of literals would be followed text by text, which takes longer."""
    texts = sorted(set(json.loads(text)))
    _check_size("".join(texts), MAX_CHOICE_BYTES, "the texts")
    return f"/(?:{'|'.join(_literal(one) for one in texts)})/"


def _literal(text: str) -> str:
    return _ALNUM.sub(lambda found: rf"\x{{{ord(found[0]):x}}}", text)


def _check_terminals(text: str) -> None:
    if longest_expression(text) > MAX_REGEX_BYTES:
        raise UnusableConstraint(f"has an expression that is too long; allowed are {MAX_REGEX_BYTES} characters")
    lengths = terminal_lengths(text)
    longest = max(lengths, key=lambda name: lengths[name], default="")
    if longest and lengths[longest] > MAX_TERMINAL:
        raise UnusableConstraint(
            f"has a terminal {longest[:40]} that is too long; allowed are {MAX_TERMINAL} characters"
        )
    if sum(lengths.values()) > MAX_TERMINALS:
        raise UnusableConstraint(f"has terminals that are too long together; allowed are {MAX_TERMINALS} characters")


def _check_size(text: str, most: int, what: str) -> None:
    try:
        n_bytes = len(text.encode())
    except UnicodeEncodeError as error:
        raise UnusableConstraint(f"is no Unicode text: {error.reason}") from None
    if n_bytes > most:
        raise UnusableConstraint(f"has {n_bytes} bytes; allowed are at most {most} for {what}")
