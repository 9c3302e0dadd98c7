from __future__ import annotations

from slotline.cli.serve.restart_policy import RestartPolicy


def test_the_delay_doubles_up_to_five_seconds() -> None:
    policy = RestartPolicy()
    policy.became_ready()
    delays = [policy.died(1.0) for _ in range(9)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_a_long_life_forgives_what_was_before() -> None:
    policy = RestartPolicy()
    policy.became_ready()
    for _ in range(5):
        policy.died(29.9)
    assert policy.died(30.0) == 0.1
    assert policy.died(1.0) == 0.2


def test_three_deaths_before_it_ever_served_are_enough() -> None:
    policy = RestartPolicy()
    assert [policy.died(1.0), policy.died(1.0), policy.died(1.0)] == [0.1, 0.2, None]


def test_a_core_that_has_served_is_never_given_up() -> None:
    policy = RestartPolicy()
    policy.died(1.0)
    policy.died(1.0)
    policy.became_ready()
    assert all(policy.died(1.0) is not None for _ in range(100))
