"""A parsed grammar, reduced to what matters for whether it can be used."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Symbols in order: the number of a rule, 0 and up, or that of a set of characters, below 0.
Alternative = list[int]


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """What may stand for one character.

    Attributes:
        ranges: first and last code points.
        is_negated: whether these are the ones that may not.
    """

    ranges: tuple[tuple[int, int], ...]
    is_negated: bool = False

    def __contains__(self, code_point: int) -> bool:
        return any(first <= code_point <= last for first, last in self.ranges) is not self.is_negated


class GrammarError(ValueError):
    """A grammar that cannot be used.

    Attributes:
        line, column: where, from 1; columns count characters.
        reason: what is wrong, and what is allowed.
    """

    def __init__(self, line: int, column: int, reason: str) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.line = line
        self.column = column
        self.reason = reason


@dataclass(slots=True)
class Rule:
    """A rule of the text, or one that stands for a group or a repetition.

    Attributes:
        alternatives: what it may become; None until it is defined.
        offset: in the text, of the definition; before there is one, of the first mention.
    """

    offset: int
    alternatives: list[Alternative] | None = None


@dataclass(slots=True)
class Rules:
    """The rules of a grammar, by number.

    Attributes:
        text: the grammar.
        rules: all rules; symbols from 0 up are indices.
        sets: character sets; symbol -1 is the first, -2 the second and so on.
        numbers: numbers of the rules that have a name.
        n_elements: symbols of all alternatives, one for each range of a set, those of overwritten rules included.
    """

    text: str
    rules: list[Rule] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    sets: list[CharacterSet] = field(default_factory=list)
    n_elements: int = 0
    _symbols: dict[CharacterSet, int] = field(default_factory=dict)

    def symbol(self, characters: CharacterSet) -> int:
        """The symbol of a character set."""
        symbol = self._symbols.get(characters)
        if symbol is None:
            self.sets.append(characters)
            symbol = self._symbols[characters] = -len(self.sets)
        return symbol

    def size(self, alternative: Alternative) -> int:
        """The number of elements that the library makes of these symbols."""
        return sum(1 if symbol >= 0 else len(self.sets[-symbol - 1].ranges) for symbol in alternative)

    def number(self, name: str, offset: int) -> int:
        """The number of a named rule, a new one at its first mention."""
        number = self.numbers.get(name)
        if number is None:
            number = self.numbers[name] = self.add(offset)
        return number

    def add(self, offset: int) -> int:
        """Number of a new rule without a name."""
        self.rules.append(Rule(offset))
        return len(self.rules) - 1

    def error(self, offset: int, reason: str) -> GrammarError:
        """An error at an offset in the text."""
        before = self.text[:offset]
        return GrammarError(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1, reason)

    def name(self, number: int) -> str:
        """What to call a rule in a message."""
        for name, named in self.numbers.items():
            if named == number:
                return f"rule {name!r}"
        return "this group or repetition"
