"""The radix tree against a search through everything."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from service.engine.cache.prefix_index import PrefixIndex, count_common

HOLDERS = st.sampled_from("abcde")
SALTS = st.sampled_from(["", "salt"])
#: Few different tokens, so that beginnings meet and part often.
TOKENS = st.lists(st.integers(0, 1), max_size=12)


def test_a_match_may_end_inside_an_edge() -> None:
    index: PrefixIndex[str] = PrefixIndex()
    index.extend("a", "", [1, 2, 3, 4, 5], 5)
    assert index.longest("", [1, 2, 3, 9], 4) == ("a", 3)
    assert index.longest("", [1, 2, 3, 9], 2) == ("a", 2)
    assert index.longest("", [9], 1) == (None, 0)


def test_salts_do_not_meet() -> None:
    index: PrefixIndex[str] = PrefixIndex()
    index.extend("a", "x", [1, 2], 2)
    assert index.longest("y", [1, 2], 2) == (None, 0)
    index.extend("a", "y", [1, 2], 2)
    assert index.longest("x", [1, 2], 2) == (None, 0)
    assert index.longest("y", [1, 2], 2) == ("a", 2)


def test_the_first_of_equals_that_is_accepted_is_found() -> None:
    index: PrefixIndex[str] = PrefixIndex()
    for holder, tokens in {"a": [1, 2, 3], "b": [1, 2, 4], "c": [1]}.items():
        index.extend(holder, "", tokens, len(tokens))
    assert index.longest("", [1, 2, 5], 3) == ("a", 2)
    assert index.longest("", [1, 2, 5], 3, lambda holder: holder != "a") == ("b", 2)
    assert index.longest("", [1, 2, 5], 3, lambda holder: holder == "c") == ("c", 1)
    assert index.longest("", [1, 2, 5], 3, whole=True) == ("c", 1)


def test_beginnings_come_from_the_shortest_on() -> None:
    index: PrefixIndex[str] = PrefixIndex()
    for holder, tokens in {"a": [1, 2, 3], "b": [1], "c": [1, 2], "d": [1, 9]}.items():
        index.extend(holder, "", tokens, len(tokens))
    assert index.beginnings("", [1, 2, 3, 4], 4) == ["b", "c", "a"]
    assert index.beginnings("", [1, 2, 3, 4], 2) == ["b", "c"]


@pytest.mark.parametrize("n_equal", [0, 1, 255, 256, 257, 600])
def test_common_tokens_are_counted_across_the_parts_that_are_compared(n_equal: int) -> None:
    left, right = [7] * n_equal + [1], [0, 0] + [7] * n_equal + [2]
    assert count_common(left, right, 2, len(right)) == n_equal
    assert count_common(left, right, 2, 2 + n_equal // 2) == n_equal // 2
    assert count_common(left, right, 2, 1) == 0


@dataclass
class _Known:
    salt: str
    tokens: list[int]


class IndexMachine(RuleBasedStateMachine):
    """Does the same to an index and to a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.index: PrefixIndex[str] = PrefixIndex()
        self.known: dict[str, _Known] = {}

    @rule(holder=HOLDERS, salt=SALTS, tokens=TOKENS)
    def extend(self, holder: str, salt: str, tokens: list[int]) -> None:
        """Add tokens to a holder's, or begin anew with another salt."""
        known = self.known.get(holder)
        if known is None or known.salt != salt:
            known = _Known(salt, [])
        known.tokens += tokens
        self.index.extend(holder, salt, known.tokens.copy(), len(known.tokens))
        self.known.pop(holder, None)
        if known.tokens:
            self.known[holder] = known

    @rule(holder=HOLDERS, tokens=TOKENS, source=HOLDERS)
    def follow(self, holder: str, source: str, tokens: list[int]) -> None:
        """Begin as another holder does."""
        if source in self.known:
            known = self.known[source]
            self.cut(holder, 0)
            self.extend(holder, known.salt, known.tokens[: len(tokens)] + tokens)

    @rule(holder=HOLDERS, length=st.integers(0, 15))
    def cut(self, holder: str, length: int) -> None:
        """Keep a beginning."""
        self.index.cut(holder, length)
        if holder in self.known:
            del self.known[holder].tokens[length:]
            if not length:
                del self.known[holder]

    @rule(holder=HOLDERS)
    def remove(self, holder: str) -> None:
        """Forget a holder."""
        self.index.remove(holder)
        self.known.pop(holder, None)

    @rule(salt=SALTS, tokens=TOKENS, accepted=st.sets(HOLDERS), whole=st.booleans())
    def look_up(self, salt: str, tokens: list[int], accepted: set[str], whole: bool) -> None:
        """The length found is the longest, and the holder has it."""
        lengths = {
            holder: _common(known.tokens, tokens)
            for holder, known in self.known.items()
            if holder in accepted and known.salt == salt
        }
        if whole:
            lengths = {holder: length for holder, length in lengths.items() if length == self.index.length(holder)}
        holder, length = self.index.longest(salt, tokens, len(tokens), accepted.__contains__, whole=whole)
        assert length == max(lengths.values(), default=0)
        assert (holder is None) == (length == 0)
        assert holder is None or lengths[holder] == length

    @rule(salt=SALTS, tokens=TOKENS)
    def look_for_beginnings(self, salt: str, tokens: list[int]) -> None:
        """All whose tokens are a beginning are found."""
        found = self.index.beginnings(salt, tokens, len(tokens))
        assert sorted(found) == sorted(
            holder
            for holder, known in self.known.items()
            if known.salt == salt and known.tokens == tokens[: len(known.tokens)]
        )

    @invariant()
    def holders_and_lengths_are_known(self) -> None:
        """Nobody is lost and nobody stays."""
        assert len(self.index) == len(self.known)
        assert all(self.index.length(holder) == len(known.tokens) for holder, known in self.known.items())

    @invariant()
    def no_node_is_superfluous(self) -> None:
        """A node parts ways, or somebody ends there; so there are fewer than twice as many as holders."""
        assert set(self.index.roots) == {known.salt for known in self.known.values()}
        for root in self.index.roots.values():
            nodes = list(root.children.values())
            assert nodes
            for node in nodes:
                nodes += node.children.values()
                assert node.holders
                assert node.edge
                assert all(child.parent is node for child in node.children.values())
                ends_here = any(self.index.ends_at(holder, node) for holder in node.holders)
                assert ends_here or len(node.children) > 1


def _common(left: list[int], right: list[int]) -> int:
    return next(
        (place for place, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )


TestIndex = IndexMachine.TestCase
TestIndex.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
