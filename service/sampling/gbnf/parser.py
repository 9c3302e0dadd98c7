"""Reads GBNF.

The language is llama.cpp's (``grammars/README.md`` there). Repetitions become the same rules as in llama.cpp, because
its limits depend on their number. Two things that llama.cpp accepts are refused: references to tokens (``<think>``),
with which it approves tokens that then crash it, and a maximum of repetitions below the minimum, for which it writes
rules until memory is full.
"""

from __future__ import annotations

import re

from service.sampling.gbnf.rules import Alternative, CharacterSet, GrammarError, Rules

MAX_NESTING = 200
#: llama.cpp's own bound, on counts and on what nested repetitions multiply to.
MAX_REPETITIONS = 2000
#: Bounds the memory that repetitions of long symbols take.
MAX_ELEMENTS = 200_000

_NAME = re.compile(r"[a-zA-Z0-9-]+")
_INTEGER = re.compile(r"[0-9]+")
_BLANKS = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_BLANKS_AND_LINES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_NEWLINE = re.compile(r"\r\n?|\n")
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}
_HEX = re.compile(r"[0-9a-fA-F]+")
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n"} | {character: character for character in '\\"[]-'}
_ANY = CharacterSet((), is_negated=True)


def parse(text: str) -> Rules:
    """The rules of a grammar; none of the symbols is undefined.

    Raises:
        GrammarError: the text is not GBNF, mentions a rule that it does not define, or exceeds a limit.
    """
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._rules = Rules(text)

    def parse(self) -> Rules:
        nul = self._text.find("\0")
        if nul >= 0:
            raise self._rules.error(nul, "the character NUL is not allowed")
        self._skip(True)
        while self._at < len(self._text):
            self._rule()
        for name, number in self._rules.numbers.items():
            if self._rules.rules[number].alternatives is None:
                raise self._rules.error(self._rules.rules[number].offset, f"rule {name!r} is not defined")
        return self._rules

    # Rules ----------------------------------------------------------------------------------------------------------

    def _rule(self) -> None:
        start = self._at
        name = self._take(_NAME, "a rule's name (letters, digits and '-')")
        self._skip(False)
        if not self._text.startswith("::=", self._at):
            raise self._unexpected("'::='")
        self._at += 3
        self._skip(True)
        number = self._rules.number(name, start)
        self._rules.rules[number].offset = start
        self._alternatives(number, depth=0)
        if self._at < len(self._text) and not self._matches(_NEWLINE):
            raise self._unexpected("'|', a newline or the end")
        self._skip(True)

    def _alternatives(self, number: int, depth: int) -> None:
        """Read alternatives as far as they go, and define a rule by them."""
        alternatives = [self._sequence(depth)]
        while self._peek() == "|":
            self._at += 1
            self._skip(True)
            alternatives.append(self._sequence(depth))
        self._count(len(alternatives))
        self._rules.rules[number].alternatives = alternatives

    def _sequence(self, depth: int) -> Alternative:
        sequence: Alternative = []
        # Where the last symbol begins, which the operators repeat, and how many rules it stands for.
        last, n_rules = 0, 1
        while True:
            character = self._peek()
            if character in _OPERATORS:
                n_rules = self._repeat(sequence, last, n_rules, depth)
                continue
            start = len(sequence)
            if character == "(":
                n_rules = self._group(sequence, depth)
            elif character == '"':
                self._literal(sequence)
            elif character == "[":
                self._class(sequence)
            elif character == ".":
                self._at += 1
                self._extend(sequence, [self._rules.symbol(_ANY)])
            elif _NAME.match(character):
                self._reference(sequence)
            elif character in ("<", "!"):
                raise self._error("references to tokens are not available; write their text as a literal")
            else:
                return sequence
            if character != "(":
                n_rules = 1
            last = start
            self._skip(depth > 0)

    def _group(self, sequence: Alternative, depth: int) -> int:
        """Read a group; returns how many rules it stands for."""
        if depth == MAX_NESTING:
            raise self._error(f"groups are nested more than {MAX_NESTING} deep")
        start = self._at
        self._at += 1
        self._skip(True)
        n_before = len(self._rules.rules)
        number = self._rules.add(start)
        self._alternatives(number, depth + 1)
        if self._peek() != ")":
            raise self._unexpected("')'")
        self._at += 1
        self._extend(sequence, [number])
        return len(self._rules.rules) - n_before

    def _reference(self, sequence: Alternative) -> None:
        start = self._at
        name = self._take(_NAME, "a name")
        self._extend(sequence, [self._rules.number(name, start)])

    # Characters -----------------------------------------------------------------------------------------------------

    def _literal(self, sequence: Alternative) -> None:
        start = self._at
        self._at += 1
        while self._peek() != '"':
            code_point = self._character(start, "literal")
            self._extend(sequence, [self._rules.symbol(CharacterSet(((code_point, code_point),)))])
        self._at += 1

    def _class(self, sequence: Alternative) -> None:
        start = self._at
        self._at += 1
        is_negated = self._peek() == "^"
        self._at += is_negated
        ranges = []
        while self._peek() != "]":
            first = last = self._character(start, "character class")
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                last = self._character(start, "character class")
            ranges.append((first, last))
        self._at += 1
        # A class without entries is no character at all, negated or not.
        if ranges:
            self._extend(sequence, [self._rules.symbol(CharacterSet(tuple(ranges), is_negated))])

    def _character(self, start: int, what: str) -> int:
        """Read one character, which may be written as an escape, and return its code point."""
        character = self._peek()
        if not character:
            raise self._rules.error(start, f"this {what} is not closed")
        if character != "\\":
            self._at += 1
            return ord(character)
        letter = self._text[self._at + 1 : self._at + 2]
        if letter in _HEX_ESCAPES:
            end = self._at + 2 + _HEX_ESCAPES[letter]
            digits = self._text[self._at + 2 : end]
            if len(digits) < _HEX_ESCAPES[letter] or not _HEX.fullmatch(digits):
                raise self._error(f"\\{letter} needs {_HEX_ESCAPES[letter]} hexadecimal digits")
            self._at = end
            return int(digits, 16)
        if letter not in _ESCAPES:
            raise self._error(
                "\\" + letter + r" is no escape; allowed are \n \r \t \\ \" \[ \] \- \xHH \uHHHH \UHHHHHHHH"
            )
        self._at += 2
        return ord(_ESCAPES[letter])

    # Repetitions ----------------------------------------------------------------------------------------------------

    def _repeat(self, sequence: Alternative, last: int, n_rules: int, depth: int) -> int:
        """Read an operator and repeat the last symbol; returns how many rules the result stands for."""
        offset = self._at
        least, most = self._counts(depth)
        if last == len(sequence):
            raise self._rules.error(offset, "there is nothing to repeat before this")
        n_rules *= most or least or 1
        if n_rules > MAX_REPETITIONS:
            raise self._rules.error(
                offset, f"this repeats a part of {n_rules} rules in all; allowed are at most {MAX_REPETITIONS}"
            )
        symbol = sequence[last:]
        if least == 0:
            del sequence[last:]
        else:
            self._extend(sequence, symbol, times=least - 1)
        optional = None
        for _ in range(1 if most is None else most - least):
            following, optional = optional, self._rules.add(offset)
            remainder = optional if most is None else following
            self._count(self._rules.size(symbol) + 3)
            again = symbol if remainder is None else [*symbol, remainder]
            self._rules.rules[optional].alternatives = [again, []]
        if optional is not None:
            self._extend(sequence, [optional])
        return n_rules

    def _counts(self, depth: int) -> tuple[int, int | None]:
        """Read an operator: the least number of times, and the most, None for no limit."""
        operator = self._peek()
        offset = self._at
        self._at += 1
        self._skip(depth > 0)
        if operator != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[operator]
        least = self._integer(depth)
        most: int | None = least
        expected = "',' or '}'"
        if self._peek() == ",":
            self._at += 1
            self._skip(depth > 0)
            most = self._integer(depth) if self._peek() != "}" else None
            expected = "'}'"
        if self._peek() != "}":
            raise self._unexpected(expected)
        self._at += 1
        self._skip(depth > 0)
        if least > MAX_REPETITIONS:
            raise self._rules.error(offset, f"{least} repetitions; allowed are at most {MAX_REPETITIONS}")
        if most is not None and most < least:
            raise self._rules.error(offset, f"at least {least} and at most {most} repetitions exclude each other")
        # llama.cpp lifts a maximum that is too high.
        return least, None if most is None or most > MAX_REPETITIONS else most

    def _integer(self, depth: int) -> int:
        offset = self._at
        digits = self._take(_INTEGER, "a number")
        if len(digits.lstrip("0")) > len(str(2**63)) - 1:
            raise self._rules.error(offset, f"the number is too large; allowed are at most {MAX_REPETITIONS}")
        self._skip(depth > 0)
        return int(digits)

    # Text -----------------------------------------------------------------------------------------------------------

    def _extend(self, sequence: Alternative, symbols: Alternative, times: int = 1) -> None:
        self._count(self._rules.size(symbols) * times)
        sequence += symbols * times

    def _count(self, n_elements: int) -> None:
        self._rules.n_elements += n_elements
        if self._rules.n_elements > MAX_ELEMENTS:
            raise self._error(f"up to here the grammar has more than {MAX_ELEMENTS} symbols, repetitions written out")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _matches(self, pattern: re.Pattern[str]) -> str:
        """Consume and return what matches here; empty if nothing does."""
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _take(self, pattern: re.Pattern[str], what: str) -> str:
        found = self._matches(pattern)
        if not found:
            raise self._unexpected(what)
        return found

    def _skip(self, newlines: bool) -> None:
        self._matches(_BLANKS_AND_LINES if newlines else _BLANKS)

    def _unexpected(self, expected: str) -> GrammarError:
        character = self._peek()
        found = repr(character) if character else "the end"
        return self._error(f"expected {expected}, found {found}")

    def _error(self, reason: str) -> GrammarError:
        return self._rules.error(self._at, reason)


_OPERATORS = frozenset("*+?{")
