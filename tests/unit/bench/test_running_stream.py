"""A stream in the background."""

from __future__ import annotations

import pytest

from bench.harness.errors import BenchError
from bench.harness.load import Job
from bench.harness.running_stream import running_stream
from tests.unit.bench.scripted_target import ScriptedTarget, timing

JOB = Job("Once", n_tokens=4, seed=1)


async def test_it_has_begun_and_is_abandoned_at_the_end() -> None:
    target = ScriptedTarget(lambda number: None)
    async with running_stream(target, JOB) as stream:
        assert len(stream.arrivals) == 1
        assert target.n_cancelled == 0
    assert target.n_cancelled == 1


async def test_a_stream_that_ends_while_it_is_watched_is_an_error() -> None:
    async with running_stream(ScriptedTarget(lambda number: timing(1, 1.0)), JOB) as stream:
        with pytest.raises(BenchError, match="ended after 1 outputs"):
            await stream.wait_for_outputs(1)


async def test_a_stream_that_fails_says_why() -> None:
    with pytest.raises(BenchError, match="no slot"):
        async with running_stream(ScriptedTarget(lambda number: BenchError("no slot")), JOB):
            pass
