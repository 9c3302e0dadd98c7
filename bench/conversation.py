"""One user alone on a server, whose history grows turn by turn."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import AS_SOON, Quantity, Sample, compare
from bench.harness.conversation import Talk, converse, span_s

if TYPE_CHECKING:
    from bench.harness.load import Target
    from bench.harness.report import Result
    from bench.settings import Settings

_TALK = Talk(turns=8)
_QUANTITIES = (
    *(Quantity(f"turn {turn}: first token", "ms", ratio_goal=AS_SOON) for turn in range(1, _TALK.turns + 1)),
    Quantity("whole conversation", "s", ratio_goal=AS_SOON),
)


def run(settings: Settings) -> Result:
    """Measure the servers in turns; the conversation is new in every round."""
    measure = partial(_measure, itertools.count(1))
    return compare(settings, "conversation", f"one user, {_TALK}", _QUANTITIES, measure)


async def _measure(numbers: itertools.count[int], target: Target) -> Sample:
    timings = await converse(target, _TALK, next(numbers), user=0)
    return {
        **{f"turn {turn}: first token": timing.first_token_ms for turn, timing in enumerate(timings, 1)},
        "whole conversation": span_s(timings),
    }
