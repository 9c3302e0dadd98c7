"""Whether rules can be expanded to their first characters.

llama.cpp keeps each way in which a text may continue as a stack of symbols, and replaces the rule on top of a stack
until a character is on top. That never ends if a rule is left recursive (it comes up again on top of a growing stack),
and takes too long if there are too many ways. llama.cpp looks for left recursion itself, but overlooks it behind rules
that can only be empty through other rules, and visits a rule once per way to it. Here both are computed, and each rule
is looked at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.sampling.gbnf.rules import Alternative, GrammarError, Rules

#: Ways in which a text may continue after a character. A token takes time in their square: 0.4 s at this many.
MAX_WAYS = 128
#: Symbols that the library looks at in its own search for left recursion: 30 ms.
MAX_SEARCH = 10_000_000
#: Longest chain of rules in that search; each is a level of recursion in C.
MAX_SEARCH_DEPTH = 5000


def check_expansion(rules: Rules) -> None:
    """Accept rules that the library can expand.

    Raises:
        GrammarError: a rule is left recursive, begins with no character, or branches into too many ways.
    """
    _Expansion(rules).check()


class _Expansion:
    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._alternatives: list[list[Alternative]] = [rule.alternatives or [] for rule in rules.rules]
        # Rules that the library believes may be empty, and those that really may.
        self._plainly_empty = [any(not sequence for sequence in rule) for rule in self._alternatives]
        self._nullable = self._find_nullable()

    def check(self) -> None:
        self._check_search()
        self._check_ways()

    def _find_nullable(self) -> list[bool]:
        nullable = list(self._plainly_empty)
        # Per alternative of rules alone, how many of them are not known to be nullable; per rule, where it occurs.
        owners: list[int] = []
        n_missing: list[int] = []
        uses: list[list[int]] = [[] for _ in nullable]
        for number, rule in enumerate(self._alternatives):
            for sequence in rule:
                if sequence and min(sequence) >= 0:
                    symbols = set(sequence)
                    for symbol in symbols:
                        uses[symbol].append(len(owners))
                    owners.append(number)
                    n_missing.append(len(symbols))
        pending = [number for number, is_nullable in enumerate(nullable) if is_nullable]
        while pending:
            for index in uses[pending.pop()]:
                n_missing[index] -= 1
                if not n_missing[index] and not nullable[owners[index]]:
                    nullable[owners[index]] = True
                    pending.append(owners[index])
        return nullable

    # The library's search -------------------------------------------------------------------------------------------

    def _check_search(self) -> None:
        """Refuse what the library takes for left recursion, and what it would search too long."""
        graph = [
            [symbol for symbol, _ in _first_symbols(rule, self._plainly_empty) if symbol >= 0]
            for rule in self._alternatives
        ]
        costs = [0] * len(graph)
        depths = [0] * len(graph)
        total = 0
        for component in _components(graph):
            number = component[0]
            if len(component) > 1 or number in graph[number]:
                raise self._left_recursive(min(component, key=lambda member: self._rules.rules[member].offset))
            costs[number] = 1 + sum(map(len, self._alternatives[number])) + sum(costs[next] for next in graph[number])
            depths[number] = 1 + max((depths[next] for next in graph[number]), default=0)
            total += costs[number]
            if total > MAX_SEARCH or depths[number] > MAX_SEARCH_DEPTH:
                raise self._error(number, "leads to too many other rules before its first character")

    # The ways -------------------------------------------------------------------------------------------------------

    def _check_ways(self) -> None:
        """Refuse growing stacks, rules that never begin, and too many ways."""
        firsts = [list(_first_symbols(rule, self._nullable)) for rule in self._alternatives]
        ways = [0] * len(firsts)
        begins = [False] * len(firsts)
        for component in _components([[symbol for symbol, _ in first if symbol >= 0] for first in firsts]):
            members = set(component)
            n_ways = 0
            can_begin = False
            for number in component:
                for symbol, is_last in firsts[number]:
                    if symbol in members and not is_last:
                        raise self._left_recursive(number)
                    n_ways += ways[symbol] or 1 if symbol >= 0 else 1
                    can_begin = can_begin or symbol < 0 or begins[symbol]
            for number in component:
                if not (can_begin or self._nullable[number]):
                    raise self._error(number, "never begins with a character")
                ways[number] = self._few(number, n_ways)
                begins[number] = can_begin
        for number, rule in enumerate(self._alternatives):
            for sequence in rule:
                n_ways = 0
                for symbol in reversed(sequence):
                    if symbol < 0 or not self._nullable[symbol]:
                        n_ways = 0
                    n_ways = self._few(number, n_ways + (ways[symbol] if symbol >= 0 else 1))

    def _few(self, number: int, n_ways: int) -> int:
        """The number of ways of a rule or of its end, unless it is too high."""
        if n_ways > MAX_WAYS:
            raise self._error(number, f"branches into more than {MAX_WAYS} ways between two characters")
        return n_ways

    def _left_recursive(self, number: int) -> GrammarError:
        return self._error(number, "is left recursive: it can begin with itself without a character in between")

    def _error(self, number: int, reason: str) -> GrammarError:
        return self._rules.error(self._rules.rules[number].offset, f"{self._rules.name(number)} {reason}")


def _first_symbols(rule: list[Alternative], may_be_empty: list[bool]) -> Iterator[tuple[int, bool]]:
    """Symbols with which a rule may begin, and whether they end their alternative."""
    for sequence in rule:
        last = len(sequence) - 1
        for index, symbol in enumerate(sequence):
            yield symbol, index == last
            if symbol < 0 or not may_be_empty[symbol]:
                break


def _components(graph: list[list[int]]) -> Iterator[list[int]]:
    """Strongly connected components, each after those that it leads to (Tarjan 1972, without recursion)."""
    n_nodes = len(graph)
    order = [0] * n_nodes
    low = [0] * n_nodes
    is_open = [False] * n_nodes
    stack: list[int] = []
    n_seen = 0
    for start in range(n_nodes):
        if order[start]:
            continue
        path = [(start, iter(graph[start]))]
        n_seen += 1
        order[start] = low[start] = n_seen
        stack.append(start)
        is_open[start] = True
        while path:
            node, successors = path[-1]
            for successor in successors:
                if not order[successor]:
                    n_seen += 1
                    order[successor] = low[successor] = n_seen
                    stack.append(successor)
                    is_open[successor] = True
                    path.append((successor, iter(graph[successor])))
                    break
                if is_open[successor]:
                    low[node] = min(low[node], order[successor])
            else:
                path.pop()
                if path:
                    parent = path[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == order[node]:
                    component = []
                    while is_open[node]:
                        member = stack.pop()
                        is_open[member] = False
                        component.append(member)
                    yield component
