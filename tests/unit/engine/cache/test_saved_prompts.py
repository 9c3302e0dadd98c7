"""What is kept in main memory, and what goes first."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.cache.saved_prompts import SavedPrompt, SavedPrompts
from service.engine.language_model import SavedSequence
from service.engine.request.items import Positions


def saved(tokens: list[int], salt: str = "", n_unique: int | None = None, token_bytes: int = 1) -> SavedPrompt:
    """A saved prompt whose cells take ``token_bytes`` each."""
    sequence = SavedSequence(len(tokens), token_bytes * len(tokens), None)
    return SavedPrompt([*tokens], Positions(), sequence, salt, len(tokens) if n_unique is None else n_unique)


def put(prompts: SavedPrompts, *new: SavedPrompt) -> None:
    """Keep prompts of a model that can cut."""
    for prompt in new:
        prompts.put(prompt, covers_beginnings=True)


def test_the_longest_beginning_of_the_same_salt_is_found() -> None:
    prompts = SavedPrompts(None)
    one, other = saved([1, 2, 3]), saved([1, 2, 3, 4], salt="other")
    put(prompts, one, other)
    assert prompts.longest("", [1, 2, 3, 4], 4) == (one, 3)
    assert prompts.longest("other", [1, 2, 3, 4], 4) == (other, 4)
    assert prompts.longest("other", [1, 2, 3, 5], 4, whole=True) == (None, 0)


def test_what_fits_never_exceeds_the_limit() -> None:
    prompts = SavedPrompts(10)
    put(prompts, saved([1] * 6), saved([2] * 4))
    assert (len(prompts), prompts.n_bytes) == (2, 10)
    put(prompts, saved([3] * 5))
    assert prompts.n_bytes <= 10
    assert prompts.longest("", [3] * 5, 5)[1] == 5


def test_what_can_never_fit_is_not_kept_and_nothing_goes_for_it() -> None:
    prompts = SavedPrompts(10)
    put(prompts, saved([1] * 6), saved([2] * 11))
    assert prompts.n_bytes == 6
    assert prompts.has_room(10)
    assert not prompts.has_room(11)


def test_without_memory_nothing_has_room() -> None:
    assert not SavedPrompts(0).has_room(1)
    assert SavedPrompts(None).has_room(10**9)


def test_what_was_used_most_stays() -> None:
    prompts = SavedPrompts(8)
    old, new = saved([1] * 4), saved([2] * 4)
    put(prompts, old, new)
    prompts.use(old)
    put(prompts, saved([3] * 4))
    assert prompts.longest("", [1] * 4, 4) == (old, 4)
    assert prompts.longest("", [2] * 4, 4) == (None, 0)


def test_what_is_cheap_to_evaluate_again_goes_first() -> None:
    prompts = SavedPrompts(8)
    dear, cheap = saved([1, 1, 1, 1]), saved([1, 1, 1, 2], n_unique=1)
    put(prompts, dear, cheap, saved([3] * 4))
    assert prompts.longest("", [1, 1, 1, 1], 4) == (dear, 4)
    assert prompts.longest("", [1, 1, 1, 2], 4) == (dear, 3)


def test_old_merits_fade() -> None:
    prompts = SavedPrompts(8)
    favourite = saved([0] * 4)
    put(prompts, favourite)
    for _ in range(3):
        prompts.use(favourite)
    for number in range(1, 10):
        put(prompts, saved([number] * 4))
    assert prompts.longest("", [0] * 4, 4) == (None, 0)


def test_a_prompt_takes_the_place_of_its_beginnings_and_their_merits() -> None:
    prompts = SavedPrompts(None)
    first = saved([1, 2])
    put(prompts, first)
    prompts.use(first)
    grown = saved([1, 2, 3], n_unique=1)
    put(prompts, grown)
    assert (len(prompts), prompts.n_bytes) == (1, 3)
    assert (grown.n_unique, grown.n_uses, prompts.n_restored) == (3, 3, 1)


def test_where_nothing_can_be_cut_off_beginnings_stay() -> None:
    prompts = SavedPrompts(None)
    first = saved([1, 2])
    put(prompts, first)
    prompts.put(saved([1, 2, 3]), covers_beginnings=False)
    prompts.put(saved([1, 2, 3]), covers_beginnings=False)
    assert len(prompts) == 2
    assert prompts.longest("", [1, 2, 4], 3, whole=True) == (first, 2)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=6), st.integers(0, 3))),
    st.integers(1, 30),
    st.booleans(),
)
def test_bytes_are_counted_and_nothing_stays(
    steps: list[tuple[list[int], int]], limit: int, covers_beginnings: bool
) -> None:
    prompts = SavedPrompts(limit)
    for tokens, kind in steps:
        found, length = prompts.longest("", tokens, len(tokens))
        if kind == 0 and found is not None:
            prompts.remove(found)
        elif kind == 1 and found is not None:
            assert found.items[:length] == tokens[:length]
            prompts.use(found)
        else:
            prompts.put(saved(tokens), covers_beginnings=covers_beginnings)
            assert (prompts.longest("", tokens, len(tokens))[1] == len(tokens)) or len(tokens) > limit
        assert prompts.n_bytes == sum(len(prompt.items) for prompt in prompts.dump()) <= limit
        assert len(prompts) == prompts.n_indexed
    prompts.clear()
    assert (len(prompts), prompts.n_bytes, prompts.n_indexed) == (0, 0, 0)
