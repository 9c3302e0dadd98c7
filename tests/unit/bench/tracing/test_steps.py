from __future__ import annotations

from typing import TYPE_CHECKING

from bench.harness.tracing.recorder import Mark
from bench.harness.tracing.steps import Step, follow_steps, step_hops

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.harness.tracing.hops import Passage

MS = 1_000_000

#: Two streams, and when the marks of each of them are made after a step's end in ms.
AFTER_STEP: Mapping[str, tuple[int, ...]] = {
    "decoded": (0,),
    "sampling begun": (1, 3),
    "sampled": (2, 5),
    "step done": (6,),
    "delivered": (8,),
    "events put": (9, 10),
    "delta made": (11, 14),
}
ARRIVAL = (15, 19)
FIRST, LAST = [1, 4, 1, 2, 1, 2, 4], [1, 4, 1, 2, 2, 4, 5]


def marks_of(*steps: Mapping[str, tuple[int, ...]], every_ms: int = 100) -> dict[str, list[Mark]]:
    return {
        name: [Mark((n * every_ms + at) * MS, 1, 0, 0) for n, step in enumerate(steps) for at in step[name]]
        for name in AFTER_STEP
    }


def arrivals_of(n_steps: int) -> list[list[int]]:
    return [[(n * 100 + at) * MS for n in range(n_steps)] for at in ARRIVAL]


def walls(passages: list[Passage]) -> list[float]:
    return [passage.wall_ms for passage in passages]


def test_the_first_and_the_last_token_of_each_step_are_followed() -> None:
    # Of four steps the first one hands over before anything arrives, and the last two have no neighbours.
    steps = follow_steps("gRPC", arrivals_of(5), marks_of(*[AFTER_STEP] * 5))
    assert [(walls(step.first), walls(step.last)) for step in steps] == [(FIRST, LAST)] * 2
    assert len(step_hops("gRPC")) == len(FIRST)


def followed(odd: Mapping[str, tuple[int, ...]]) -> list[Step]:
    """The steps that are followed if the third of six is another one."""
    return follow_steps("gRPC", arrivals_of(6), marks_of(*[AFTER_STEP] * 2, odd, *[AFTER_STEP] * 3))


def test_a_step_that_gave_no_token_to_a_stream_is_left_out() -> None:
    assert len(followed(AFTER_STEP)) == 3
    assert len(followed({**AFTER_STEP, "sampled": (2,)})) == 2


def test_a_step_behind_which_a_reader_lagged_is_left_out() -> None:
    # Its second message comes with the next step's.
    assert len(followed({**AFTER_STEP, "delta made": (11, 114)})) == 1
