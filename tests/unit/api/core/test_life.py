"""The states of a core."""

from __future__ import annotations

import itertools

import pytest

from service.api.core.life import NEXT, CoreLife
from service.api.status import CoreState
from service.errors import ModelFailed

LOADING, READY, FAILED, DRAINING = CoreState.LOADING, CoreState.READY, CoreState.FAILED, CoreState.DRAINING


class Told:
    """A life, and the states that it told of."""

    def __init__(self) -> None:
        self.states: list[CoreState] = []
        self.life = CoreLife(self._note)

    async def _note(self, state: CoreState) -> None:
        self.states.append(state)


#: How a core comes into each state.
WAYS = {LOADING: (), READY: (READY,), FAILED: (FAILED,), DRAINING: (DRAINING,)}


@pytest.mark.parametrize(("before", "after"), [*itertools.product(NEXT, NEXT)])
async def test_changes_that_come_too_late_are_ignored(before: CoreState, after: CoreState) -> None:
    told = Told()
    for state in (*WAYS[before], after):
        await told.life.enter(state)
    is_allowed = after in NEXT[before]
    assert told.life.state is (after if is_allowed else before)
    assert told.states == [*WAYS[before], *([after] if is_allowed else [])]


def test_nothing_follows_the_drain_and_nothing_leads_back_to_loading() -> None:
    assert NEXT[DRAINING] == set()
    assert LOADING not in set().union(*NEXT.values())


@pytest.mark.parametrize("before", [LOADING, READY])
async def test_a_stall_is_shown_in_place_of_the_state_and_passes(before: CoreState) -> None:
    told = Told()
    await told.life.enter(before)
    for stall in ("no step for 2 s", "no step for 2 s", "", ""):
        await told.life.note_stall(stall)
    assert told.states[-2:] == [CoreState.STALLED, before]
    assert (told.life.state, told.life.settled, told.life.stall) == (before, before, "")


async def test_a_core_that_ends_is_not_shown_as_stalled() -> None:
    told = Told()
    await told.life.note_stall("no step for 2 s")
    assert (told.life.state, told.life.settled) == (CoreState.STALLED, LOADING)
    await told.life.enter(DRAINING)
    assert told.life.state is DRAINING
    assert told.states == [CoreState.STALLED, DRAINING]


@pytest.mark.parametrize(("before", "has_died"), [(LOADING, False), (READY, True)])
async def test_only_a_core_that_has_served_dies_of_a_failure(before: CoreState, has_died: bool) -> None:
    told = Told()
    await told.life.enter(before)
    await told.life.fail(ModelFailed("no such file"))
    assert (told.life.state, told.life.failure) == (FAILED, "no such file")
    assert told.life.has_died.is_set() is has_died


async def test_a_failure_that_nobody_expected_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    await told.life.fail(ZeroDivisionError("by zero"))
    assert told.life.failure == "ZeroDivisionError: by zero"
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
