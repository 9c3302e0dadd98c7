"""Truncation and context shift."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.cache.context_shift import (
    ContextShift,
    drop_blocks,
    plan_shift,
    resolve_n_keep,
    truncate_prompt,
)


@pytest.mark.parametrize(
    ("n_keep", "n_prompt", "n_ctx", "expected"),
    [(0, 10, 32, 0), (5, 10, 32, 5), (-1, 10, 32, 10), (-1, 100, 32, 28), (90, 100, 32, 28), (5, 3, 32, 3)],
)
def test_n_keep_is_resolved(n_keep: int, n_prompt: int, n_ctx: int, expected: int) -> None:
    assert resolve_n_keep(n_keep, n_prompt, n_ctx) == expected


def test_the_documented_example_of_truncation() -> None:
    assert truncate_prompt(range(100), 32, 0) == tuple(range(80, 100))


def test_a_prompt_that_fits_is_not_touched() -> None:
    assert truncate_prompt(range(31), 32, 0) == tuple(range(31))


@given(st.integers(1, 500), st.integers(8, 64), st.integers(-1, 500))
def test_a_truncated_prompt_fits_and_keeps_both_ends(n_prompt: int, n_ctx: int, n_keep: int) -> None:
    keep = resolve_n_keep(n_keep, n_prompt, n_ctx)
    kept = truncate_prompt(range(n_prompt), n_ctx, keep)
    assert 0 < len(kept) < n_ctx
    assert kept[: min(keep, n_prompt)] == tuple(range(min(keep, n_prompt)))
    assert kept[-1] == n_prompt - 1


def test_the_documented_example_of_a_shift() -> None:
    assert plan_shift(31, 32, 1) == ContextShift(1, 16)


@given(st.integers(8, 200), st.integers(0, 300))
def test_a_shift_always_frees_something_and_never_removes_the_newest_token(n_ctx: int, n_keep: int) -> None:
    shift = plan_shift(n_ctx - 1, n_ctx, n_keep)
    assert shift.discarded >= 1
    assert 0 <= shift.start < shift.end < n_ctx - 1 + 1


@given(
    n_prompt=st.integers(1, 5000),
    n_ctx=st.integers(8, 512),
    n_keep=st.integers(-1, 600),
)
def test_dropping_blocks_beforehand_changes_nothing_about_the_truncated_prompt(
    n_prompt: int, n_ctx: int, n_keep: int
) -> None:
    prompt = tuple(range(n_prompt))
    dropped = drop_blocks(prompt, n_ctx, n_keep)
    assert (len(dropped) >= n_ctx) is (n_prompt >= n_ctx)
    assert len(dropped) <= max(2 * n_ctx, n_ctx + 1)
    assert truncate_prompt(dropped, n_ctx, resolve_n_keep(n_keep, len(dropped), n_ctx)) == truncate_prompt(
        prompt, n_ctx, resolve_n_keep(n_keep, n_prompt, n_ctx)
    )
