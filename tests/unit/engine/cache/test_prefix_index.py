"""The radix tree against a search through everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from service.engine.cache.prefix_index import PrefixIndex, count_common
from tests.support.pictures import picture

if TYPE_CHECKING:
    from service.engine.request.items import PromptItem

HOLDERS = st.sampled_from("abcde")
SALTS = st.sampled_from(["", "salt"])
#: Few different tokens and pictures, so that beginnings meet and part often, inside of pictures too.
UNITS = st.one_of(
    st.integers(0, 1).map(lambda token: [token]),
    st.builds(picture, st.sampled_from("xy"), st.integers(1, 3), is_divisible=st.booleans()),
)
ITEMS = st.lists(UNITS, max_size=8).map(lambda units: [item for unit in units for item in unit])


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


def test_pictures_of_the_same_content_are_found() -> None:
    index: PrefixIndex[str] = PrefixIndex()
    prompt: list[PromptItem] = [1, *picture("cat", 4), 2]
    index.extend("a", "", prompt, len(prompt))
    assert index.longest("", [1, *picture("cat", 4), 2, 3], 6) == ("a", 6)
    assert index.longest("", [1, *picture("dog", 4), 2, 3], 6) == ("a", 1)


def test_a_match_ends_in_no_picture_that_is_evaluated_at_once() -> None:
    index: PrefixIndex[str] = PrefixIndex()
    prompt: list[PromptItem] = [1, *picture("cat", 4), 2]
    index.extend("a", "", prompt, len(prompt))
    assert index.longest("", prompt, 5) == ("a", 5)
    assert index.longest("", prompt, 4) == ("a", 1)
    assert index.longest("", prompt, 4, whole=True) == (None, 0)
    assert index.longest("", prompt[1:], 5) == (None, 0)


def test_a_match_may_end_in_a_picture_that_can_be_divided() -> None:
    index: PrefixIndex[str] = PrefixIndex()
    prompt: list[PromptItem] = [1, *picture("cat", 4, is_divisible=True), 2]
    index.extend("a", "", prompt, len(prompt))
    assert index.longest("", prompt, 4) == ("a", 4)
    index.cut("a", 3)
    assert index.length("a") == 3
    assert index.longest("", prompt, 4) == ("a", 3)


def test_pictures_are_shared_up_to_where_prompts_part() -> None:
    index: PrefixIndex[str] = PrefixIndex()
    prompts: dict[str, list[PromptItem]] = {
        "a": [*picture("cat", 3), *picture("dog", 2), 1],
        "b": [*picture("cat", 3), *picture("dog", 2), 2],
        "c": [*picture("cat", 3), 1],
    }
    for holder, prompt in prompts.items():
        index.extend(holder, "", prompt, len(prompt))
    (first,) = index.roots[""].children.values()
    assert (first.edge, list(first.holders)) == (picture("cat", 3), ["a", "b", "c"])
    assert index.longest("", prompts["b"], 6) == ("b", 6)
    index.cut("b", 3)
    assert index.longest("", prompts["b"], 6) == ("a", 5)
    assert index.beginnings("", prompts["a"], 6) == ["b", "a"]


@pytest.mark.parametrize("n_equal", [0, 1, 255, 256, 257, 600])
def test_common_tokens_are_counted_across_the_parts_that_are_compared(n_equal: int) -> None:
    left, right = [7] * n_equal + [1], [0, 0] + [7] * n_equal + [2]
    assert count_common(left, right, 2, len(right)) == n_equal
    assert count_common(left, right, 2, 2 + n_equal // 2) == n_equal // 2
    assert count_common(left, right, 2, 1) == 0


@dataclass
class _Known:
    salt: str
    items: list[PromptItem]


class IndexMachine(RuleBasedStateMachine):
    """Does the same to an index and to a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.index: PrefixIndex[str] = PrefixIndex()
        self.known: dict[str, _Known] = {}

    @rule(holder=HOLDERS, salt=SALTS, items=ITEMS)
    def extend(self, holder: str, salt: str, items: list[PromptItem]) -> None:
        """Add items to a holder's, or begin anew with another salt."""
        known = self.known.get(holder)
        if known is None or known.salt != salt:
            known = _Known(salt, [])
        known.items += items
        self.index.extend(holder, salt, known.items.copy(), len(known.items))
        self.known.pop(holder, None)
        if known.items:
            self.known[holder] = known

    @rule(holder=HOLDERS, items=ITEMS, source=HOLDERS)
    def follow(self, holder: str, source: str, items: list[PromptItem]) -> None:
        """Begin as another holder does."""
        if source in self.known:
            known = self.known[source]
            self.cut(holder, 0)
            self.extend(holder, known.salt, known.items[: len(items)] + items)

    @rule(holder=HOLDERS, length=st.integers(0, 15))
    def cut(self, holder: str, length: int) -> None:
        """Keep a beginning."""
        self.index.cut(holder, length)
        if holder in self.known:
            del self.known[holder].items[length:]
            if not length:
                del self.known[holder]

    @rule(holder=HOLDERS)
    def remove(self, holder: str) -> None:
        """Forget a holder."""
        self.index.remove(holder)
        self.known.pop(holder, None)

    @rule(salt=SALTS, items=ITEMS, accepted=st.sets(HOLDERS), whole=st.booleans())
    def look_up(self, salt: str, items: list[PromptItem], accepted: set[str], whole: bool) -> None:
        """The length found is the longest that ends in no indivisible picture, and the holder has it."""
        lengths = {
            holder: _whole(items, _common(known.items, items))
            for holder, known in self.known.items()
            if holder in accepted and known.salt == salt
        }
        if whole:
            lengths = {holder: length for holder, length in lengths.items() if length == self.index.length(holder)}
        holder, length = self.index.longest(salt, items, len(items), accepted.__contains__, whole=whole)
        assert length == max(lengths.values(), default=0)
        assert (holder is None) == (length == 0)
        assert holder is None or lengths[holder] == length

    @rule(salt=SALTS, items=ITEMS)
    def look_for_beginnings(self, salt: str, items: list[PromptItem]) -> None:
        """All whose items are a beginning are found."""
        found = self.index.beginnings(salt, items, len(items))
        assert sorted(found) == sorted(
            holder
            for holder, known in self.known.items()
            if known.salt == salt and known.items == items[: len(known.items)]
        )

    @invariant()
    def holders_and_lengths_are_known(self) -> None:
        """Nobody is lost and nobody stays."""
        assert len(self.index) == len(self.known)
        assert all(self.index.length(holder) == len(known.items) for holder, known in self.known.items())

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


def _common(left: list[PromptItem], right: list[PromptItem]) -> int:
    return next(
        (place for place, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )


def _whole(items: list[PromptItem], length: int) -> int:
    """Without the part of a picture that belongs together with what comes behind it."""
    while length < len(items):
        item = items[length]
        if isinstance(item, int) or item.n_before == 0:
            break
        length -= 1
    return length


TestIndex = IndexMachine.TestCase
TestIndex.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
