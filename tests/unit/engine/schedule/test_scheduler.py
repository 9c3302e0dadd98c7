"""The pure scheduler and the prefill budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.schedule.plan import EMBEDDINGS, PrefillWork, plan_step
from service.engine.schedule.prefill_budget import FIRST_CHUNK, MIN_CHUNK, TILE, PrefillBudget, StepShape


def test_decoding_slots_always_go_first() -> None:
    plan = plan_step([0, 2], [PrefillWork(1, 100)], n_batch=10, budget=100)
    assert plan.decode == (0, 2)
    assert plan.prefill == ((1, 8),)


def test_the_budget_limits_prompt_tokens_but_lets_one_through() -> None:
    assert plan_step([0], [PrefillWork(1, 100)], n_batch=512, budget=16).prefill == ((1, 16),)
    assert plan_step([0], [PrefillWork(1, 100)], n_batch=512, budget=0).prefill == ((1, 1),)


def test_the_prompt_with_the_fewest_tokens_left_goes_first() -> None:
    plan = plan_step([], [PrefillWork(0, 1000), PrefillWork(1, 300), PrefillWork(2, 50)], n_batch=512, budget=100)
    assert plan.prefill == ((0, 25), (1, 25), (2, 50))


def test_the_oldest_prompt_has_a_part_for_itself_however_many_shorter_ones_come() -> None:
    plan = plan_step(
        [], [PrefillWork(0, 1000), *(PrefillWork(slot, 90) for slot in (1, 2, 3))], n_batch=512, budget=100
    )
    assert dict(plan.prefill)[0] == 25
    assert plan.n_prefill == 100


def test_inputs_to_embed_have_a_part_for_themselves() -> None:
    work = [PrefillWork(0, 300), PrefillWork(1, 40), PrefillWork(EMBEDDINGS, 5000)]
    assert plan_step([], work, n_batch=512, budget=100).prefill == ((0, 35), (1, 40), (EMBEDDINGS, 25))


def test_what_others_do_not_need_goes_to_the_long_one() -> None:
    plan = plan_step([], [PrefillWork(1, 5), PrefillWork(0, 1000)], n_batch=512, budget=100)
    assert plan.prefill == ((1, 5), (0, 95))


def test_no_rest_is_left_that_costs_as_much_as_a_tile() -> None:
    work = [PrefillWork(0, 100)]
    assert plan_step([], work, n_batch=512, budget=64, min_remainder=64).prefill == ((0, 100),)
    assert plan_step([], work, n_batch=80, budget=64, min_remainder=64).prefill == ((0, 64),)
    assert plan_step([], [PrefillWork(0, 128)], n_batch=512, budget=64, min_remainder=64).prefill == ((0, 64),)


@given(
    st.integers(0, 8),
    st.lists(st.integers(1, 600), max_size=8),
    st.integers(9, 512),
    st.integers(0, 600),
    st.sampled_from([0, 64]),
)
def test_plans_stay_inside_all_limits(
    n_decoding: int, remaining: list[int], n_batch: int, budget: int, min_remainder: int
) -> None:
    work = [PrefillWork(100 + slot, tokens) for slot, tokens in enumerate(remaining)]
    plan = plan_step(list(range(n_decoding)), work, n_batch=n_batch, budget=budget, min_remainder=min_remainder)
    shares = dict(plan.prefill)
    assert len(plan.decode) == n_decoding
    assert n_decoding + plan.n_prefill <= n_batch
    assert plan.n_prefill <= max(1, budget) + len(work) * max(0, min_remainder - 1)
    assert all(0 < shares[w.slot_id] <= w.remaining for w in work if w.slot_id in shares)
    assert plan.n_prefill >= min(max(1, budget), n_batch - n_decoding, sum(remaining))


# The budget -----------------------------------------------------------------------------------------------------------


def settled(*, below_s: float, tile_s: float, n_decode: int = 0, budget_s: float = 0.1) -> int:
    """The chunk that comes of tokens that cost ``below_s`` each in small batches and ``tile_s`` in larger ones."""
    budget = PrefillBudget(busy_s=budget_s, idle_s=2.5 * budget_s)
    chunk = 0
    # What a tile costs is tried out while nobody decodes.
    for n_others in [0] * 5 + [n_decode] * 60:
        shape = StepShape(n_others)
        chunk = budget.tokens(shape)
        n_tokens = chunk + n_others
        budget.observe(chunk, shape, n_tokens * (tile_s if n_tokens >= TILE else below_s))
    return chunk


def learned(costs: dict[tuple[int, int], float], n_decode: int = 0) -> PrefillBudget:
    """A budget that has seen, by context and batch size, what a token costs."""
    budget = PrefillBudget(busy_s=0.1, idle_s=0.25)
    for (context, n_tokens), token_s in costs.items():
        budget.observe(n_tokens - n_decode, StepShape(n_decode, context), n_tokens * token_s)
    return budget


def test_the_first_chunk_is_small() -> None:
    budget = PrefillBudget(busy_s=0.1, idle_s=0.25)
    assert budget.tokens(StepShape()) == budget.tokens(StepShape(4, 5000)) == FIRST_CHUNK
    budget.observe(0, StepShape(8), 5.0)
    assert budget.tokens(StepShape(1)) == FIRST_CHUNK


@pytest.mark.parametrize("n_decode", [1, 7])
def test_prompts_take_the_time_they_may(n_decode: int) -> None:
    chunk = settled(below_s=0.002, tile_s=0.002, n_decode=n_decode)
    assert chunk == 48
    chunk = settled(below_s=0.0005, tile_s=0.0005, n_decode=n_decode)
    assert chunk + n_decode == 192


def test_a_slow_model_gets_small_chunks() -> None:
    assert settled(below_s=0.05, tile_s=0.05) == MIN_CHUNK


def test_a_whole_tile_is_worth_more_time_where_small_batches_are_dear() -> None:
    assert settled(below_s=0.008, tile_s=0.0016, n_decode=4) == TILE - 4
    assert settled(below_s=0.008, tile_s=0.0022, n_decode=4) == TILE - 4
    # Faster than small batches by a tenth: worth a tenth more time.
    assert settled(below_s=0.0018, tile_s=0.00165, n_decode=4) == TILE - 4
    assert settled(below_s=0.0018, tile_s=0.00175, n_decode=4) == 48
    # Too long, whatever it gives.
    assert settled(below_s=0.008, tile_s=0.0030, n_decode=4) == MIN_CHUNK


def test_cheap_small_batches_do_not_make_batches_of_several_tiles() -> None:
    # A tile takes 0.32 s, more than there is, although small batches were cheap.
    assert learned({(0, 64): 0.005, (0, 32): 0.001}).tokens(StepShape()) == 56
    assert learned({(0, 64): 0.005, (0, 32): 0.001}, n_decode=9).tokens(StepShape(9)) == 48


def test_steps_with_and_without_decoding_are_kept_apart() -> None:
    budget = PrefillBudget(busy_s=0.1, idle_s=0.25)
    for _ in range(30):
        budget.observe(200, StepShape(), 0.2)
        budget.observe(100, StepShape(5), 0.21)
    assert budget.tokens(StepShape()) == 192
    assert budget.tokens(StepShape(5)) == 48


def test_short_and_long_contexts_are_kept_apart() -> None:
    budget = learned({(0, 128): 0.001, (0, 32): 0.001, (1000, 128): 0.002, (1000, 64): 0.003, (1000, 32): 0.008})
    assert budget.tokens(StepShape(0, 100)) == budget.tokens(StepShape(0, 0)) == 192
    assert budget.tokens(StepShape(0, 1000)) == 64
    # What was never measured is taken to cost what the most similar context does.
    assert budget.tokens(StepShape(0, 100_000)) == 64
    assert budget.tokens(StepShape(0, 150)) == 192


def test_several_tiles_are_tried_where_one_leaves_time_for_them() -> None:
    # By itself a tile takes 150 ms, so that two might take 240.
    assert learned({(0, 64): 0.00235, (0, 32): 0.008}).tokens(StepShape()) == 128
    assert learned({(0, 64): 0.00235, (0, 128): 0.00235, (0, 32): 0.008}).tokens(StepShape()) == 64
    assert learned({(0, 64): 0.00235, (0, 128): 0.00175, (0, 32): 0.008}).tokens(StepShape()) == 128


def test_no_rest_is_left_where_small_batches_are_dear() -> None:
    budget = learned({(0, 64): 0.001, (0, 32): 0.001, (1000, 64): 0.002, (1000, 32): 0.008})
    assert budget.min_remainder(StepShape()) == 0
    assert budget.min_remainder(StepShape(0, 1000)) == TILE
    assert budget.min_remainder(StepShape(1, 1000)) == 0
    assert PrefillBudget(busy_s=0.1, idle_s=0.25).min_remainder(StepShape()) == 0


@pytest.mark.parametrize(
    ("n_prompt", "n_decode", "n_filler"), [(40, 0, 24), (40, 4, 20), (17, 0, 0), (64, 0, 0), (62, 2, 0), (0, 30, 0)]
)
def test_a_small_batch_is_filled_up_if_a_tile_takes_less_time(n_prompt: int, n_decode: int, n_filler: int) -> None:
    # A tile takes 128 ms; as long as 16 tokens by themselves.
    budget = learned({(1000, 64): 0.002, (1000, 32): 0.008})
    assert budget.filler(n_prompt, StepShape(n_decode, 1000)) == n_filler


def test_nothing_is_filled_up_where_it_was_not_measured_to_help() -> None:
    assert PrefillBudget(busy_s=0.1, idle_s=0.25).filler(40, StepShape()) == 0
    assert learned({(0, 32): 0.008}).filler(40, StepShape()) == 0
    assert learned({(0, 32): 0.001, (0, 64): 0.001}).filler(40, StepShape()) == 0


def test_a_filled_batch_teaches_what_a_tile_costs() -> None:
    budget = learned({(1000, 64): 0.002, (1000, 32): 0.008})
    for _ in range(20):
        budget.observe(40, StepShape(0, 1000), 0.64, 24)
    assert budget.filler(40, StepShape(0, 1000)) == 0


def test_rows_cost_what_tokens_do_until_they_were_measured() -> None:
    budget = learned({(0, 40): 0.002}, n_decode=1)
    tokens, rows = StepShape(1), StepShape(1, is_media=True)
    assert budget.tokens(rows) == budget.tokens(tokens) == 48
    budget.observe(48, rows, 48 * 0.004)
    assert (budget.tokens(rows), budget.tokens(tokens)) == (24, 48)


def test_whole_tiles_of_rows_have_no_tokens_beside_them() -> None:
    budget = learned({(0, 128): 0.0005}, n_decode=3)
    assert budget.tokens(StepShape(3)) + 3 == budget.tokens(StepShape(3, is_media=True)) == 192


@pytest.mark.parametrize(("spent_s", "chunk"), [(0.0, 48), (0.02, 40), (0.05, 24), (5.0, 24)])
def test_what_a_step_has_taken_already_is_time_that_rows_do_not_have(spent_s: float, chunk: int) -> None:
    budget = learned({(0, 40): 0.002}, n_decode=1)
    assert budget.tokens(StepShape(1, is_media=True), spent_s) == chunk
