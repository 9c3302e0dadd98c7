"""The pure scheduler and the prefill budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.engine.budget import FIRST_CHUNK, MIN_CHUNK, PrefillBudget
from service.engine.scheduler import PrefillWork, plan_step


def test_decoding_slots_always_go_first() -> None:
    plan = plan_step([0, 2], [PrefillWork(1, 100)], n_batch=10, budget=100)
    assert plan.decode == (0, 2)
    assert plan.prefill == ((1, 8),)


def test_the_budget_limits_prompt_tokens_but_lets_one_through() -> None:
    assert plan_step([0], [PrefillWork(1, 100)], n_batch=512, budget=16).prefill == ((1, 16),)
    assert plan_step([0], [PrefillWork(1, 100)], n_batch=512, budget=0).prefill == ((1, 1),)


def test_what_a_short_prompt_does_not_need_goes_to_the_long_one() -> None:
    plan = plan_step([], [PrefillWork(0, 1000), PrefillWork(1, 5)], n_batch=512, budget=100)
    assert plan.prefill == ((0, 95), (1, 5))


def test_prompts_share_evenly() -> None:
    plan = plan_step([], [PrefillWork(slot, 1000) for slot in range(3)], n_batch=512, budget=90)
    assert plan.prefill == ((0, 30), (1, 30), (2, 30))


@given(
    st.integers(0, 8),
    st.lists(st.integers(1, 600), max_size=8),
    st.integers(9, 512),
    st.integers(0, 600),
)
def test_plans_stay_inside_all_limits(n_decoding: int, remaining: list[int], n_batch: int, budget: int) -> None:
    work = [PrefillWork(100 + slot, tokens) for slot, tokens in enumerate(remaining)]
    plan = plan_step(list(range(n_decoding)), work, n_batch=n_batch, budget=budget)
    shares = dict(plan.prefill)
    assert len(plan.decode) == n_decoding
    assert n_decoding + plan.n_prefill <= n_batch
    assert plan.n_prefill <= max(1, budget)
    assert all(0 < shares[w.slot_id] <= w.remaining for w in work if w.slot_id in shares)
    assert plan.n_prefill == min(max(1, budget), n_batch - n_decoding, sum(remaining))


def test_the_budget_learns_the_speed_and_keeps_the_two_cases_apart() -> None:
    budget = PrefillBudget(busy_s=0.1, idle_s=0.25)
    assert budget.tokens(is_busy=True) == FIRST_CHUNK
    for _ in range(30):
        budget.observe(100, 0, 0.5)
        budget.observe(20, 5, 0.25)
    assert budget.tokens(is_busy=False) == 48
    assert budget.tokens(is_busy=True) == MIN_CHUNK


def test_the_budget_ignores_steps_without_a_prompt() -> None:
    budget = PrefillBudget(busy_s=0.1, idle_s=0.25)
    budget.observe(0, 8, 5.0)
    assert budget.tokens(is_busy=True) == FIRST_CHUNK
