"""Requests that a drain waits for."""

from __future__ import annotations

import asyncio

import pytest

from service.api.core.admission import Admission
from service.errors import Draining

WAIT_S = 30.0


async def test_the_wait_ends_with_the_last_request() -> None:
    admission = Admission()
    with admission.admitted():
        with admission.admitted():
            waiting = asyncio.ensure_future(admission.wait_until_idle(WAIT_S))
            await asyncio.sleep(0)
        await asyncio.wait([waiting], timeout=0)
        assert not waiting.done()
    await waiting


async def test_the_wait_has_a_limit() -> None:
    admission = Admission()
    with admission.admitted():
        await admission.wait_until_idle(0.0)


async def test_nobody_is_let_in_after_the_end_and_those_inside_stay() -> None:
    admission = Admission()
    with admission.admitted():
        admission.close()
        with pytest.raises(Draining), admission.admitted():
            pass
        waiting = asyncio.ensure_future(admission.wait_until_idle(WAIT_S))
        await asyncio.wait([waiting], timeout=0)
        assert not waiting.done()
    await waiting


async def test_a_request_that_failed_is_over() -> None:
    admission = Admission()
    with pytest.raises(ZeroDivisionError), admission.admitted():
        raise ZeroDivisionError
    await admission.wait_until_idle(WAIT_S)
