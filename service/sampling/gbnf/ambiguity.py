"""In how many ways a grammar can read the same text.

llama.cpp follows all ways at once, with a stack of symbols for each. A grammar in which every character can double the
number of stacks would fill memory within a few tokens; it is refused here. To judge a token, llama.cpp also tries every
path through the token's characters, even paths that end in the same stack: ``([a-z]+)+`` has 2^n paths through a token
of n letters. For such grammars the length of the tokens that llama.cpp is asked about is limited.

Both limits are found by reading a text that is as ambiguous as possible: its next character is always the one that the
most stacks can read.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.sampling.gbnf.rules import Alternative, CharacterSet, Rules

#: Most stacks at once.
MAX_STACKS = 256
#: Most paths through one token.
MAX_PATHS = 4096
#: Characters read from each rule. Two ways per character make 2^12 paths after 12.
MAX_CHARACTERS = 16
UNLIMITED = 1 << 30

#: Stacks visited in all, about 0.3 s; rules that would come after that are not examined.
_MAX_VISITS = 100_000
#: Candidates for the character that the most stacks can read.
_MAX_TRIED = 12

_EMPTY = 0


def check_ambiguity(rules: Rules) -> int:
    """Accept rules whose stacks stay few.

    Returns:
        The most characters that a token may have; ``UNLIMITED`` if the paths through it stay few.

    Raises:
        GrammarError: a rule can be read in too many ways at once.
    """
    reader = _Reader(rules)
    longest = UNLIMITED
    for number in range(len(rules.rules)):
        if reader.n_visits > _MAX_VISITS:
            break
        n_stacks, n_characters = reader.read(number)
        if n_stacks > MAX_STACKS or n_characters < 2:
            raise rules.error(
                rules.rules[number].offset,
                f"{rules.name(number)} is too ambiguous: a text can be read in more than {MAX_STACKS} ways",
            )
        longest = min(longest, n_characters)
    return longest


class _Reader:
    """Reads texts with stacks, like the library. A stack is a number: that of its top and of the stack below."""

    def __init__(self, rules: Rules) -> None:
        self._sets = rules.sets
        self._rules = [rule.alternatives or [] for rule in rules.rules]
        self._stacks: list[tuple[Alternative, int, int]] = [([], 0, _EMPTY)]
        self._numbers: dict[tuple[int, int, int], int] = {}
        self.n_visits = 0

    def read(self, rule: int) -> tuple[int, int]:
        """Read a text from a rule on.

        Returns:
            The most stacks at once, and the characters after which there were still few paths.
        """
        self._stacks, self._numbers = self._stacks[:1], {}
        paths: Counter[int] = Counter(
            self._expand([self._push(alternative, 0, _EMPTY) for alternative in self._rules[rule]])
        )
        for n_characters in range(MAX_CHARACTERS):
            if len(paths) > MAX_STACKS:
                return len(paths), n_characters
            if paths.total() > MAX_PATHS:
                return len(paths), n_characters
            paths = self._next(paths)
            if not paths:
                break
        return len(paths), UNLIMITED

    def _next(self, paths: Counter[int]) -> Counter[int]:
        """The stacks after one more character, with the number of paths to each."""
        readers: Counter[int] = Counter()
        for stack, n_paths in paths.items():
            if stack != _EMPTY:
                alternative, index, _ = self._stacks[stack]
                readers[alternative[index]] += n_paths
        tried = {code_point for symbol, _ in readers.most_common(_MAX_TRIED) for code_point in self._samples(symbol)}
        if not tried:
            return Counter()
        best = max(tried, key=lambda code_point: sum(n for s, n in readers.items() if code_point in self._set(s)))
        following: Counter[int] = Counter()
        for stack, n_paths in paths.items():
            if stack != _EMPTY:
                alternative, index, below = self._stacks[stack]
                if best in self._set(alternative[index]):
                    for expanded in self._expand([self._push(alternative, index + 1, below)]):
                        following[expanded] += n_paths
        return following

    def _set(self, symbol: int) -> CharacterSet:
        return self._sets[-symbol - 1]

    def _samples(self, symbol: int) -> list[int]:
        characters = self._set(symbol)
        ends = [(first, last + 1) for first, last in characters.ranges[:_MAX_TRIED]]
        return [code_point for pair in ends for code_point in pair if code_point in characters] or [ord("a")]

    def _push(self, alternative: Alternative, index: int, below: int) -> int:
        """A stack with the remainder of an alternative on top, which may be empty."""
        if index == len(alternative):
            return below
        key = (id(alternative), index, below)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._stacks)
            self._stacks.append((alternative, index, below))
        return number

    def _expand(self, stacks: list[int]) -> set[int]:
        """The stacks with a character on top that result from replacing the rules on top of these."""
        seen: set[int] = set()
        expanded = set()
        while stacks:
            stack = stacks.pop()
            if stack in seen:
                continue
            seen.add(stack)
            self.n_visits += 1
            alternative, index, below = self._stacks[stack]
            if stack == _EMPTY or alternative[index] < 0:
                expanded.add(stack)
                continue
            remainder = self._push(alternative, index + 1, below)
            stacks += [self._push(inner, 0, remainder) for inner in self._rules[alternative[index]]]
        return expanded
