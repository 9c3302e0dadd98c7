"""A core whose engine does not get on says so to everybody who asks, and takes it back when it does."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1 import health_pb2

from service.api.core.engine_watch import EngineWatch
from service.api.server.core_server import SERVICES
from service.errors import ModelFailed
from slotline.v1 import model_pb2
from tests.support.calls import refusal, request, until_state
from tests.support.scripted_core import (
    WAIT_S,
    Gate,
    core_config,
    health_stub,
    load_scripted,
    running_core,
    scripted_model,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.api.served_model import LoadedModel
    from service.config import ModelConfig
    from service.engine.thread import Progress

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize("service", ["", *SERVICES])
async def test_a_step_that_does_not_return_is_told_until_it_does(service: str) -> None:
    gate = Gate()
    async with running_core(core_config(hang_timeout_s=0.3), load=load_scripted(gate.script)) as core:
        gate.close(after=1)
        watch = health_stub(core.channel).Watch(health_pb2.HealthCheckRequest(service=service), timeout=WAIT_S)
        assert (await watch.read()).status == SERVING
        running = asyncio.ensure_future(core.generate(request(max_tokens=4)))
        assert (await watch.read()).status == NOT_SERVING
        health = await core.models.Health(model_pb2.HealthRequest(), timeout=WAIT_S)
        assert health.state == model_pb2.SERVER_STATE_STALLED
        assert health.message == "the engine has not finished a step for 0.3 s"
        # What needs no step is answered, so that somebody can look what hangs.
        slots = await core.models.ListSlots(model_pb2.ListSlotsRequest(), timeout=WAIT_S)
        assert sum(slot.state != model_pb2.SLOT_STATE_IDLE for slot in slots.slots) == 1
        metrics = await core.models.GetMetrics(model_pb2.GetMetricsRequest(), timeout=WAIT_S)
        assert 'slotline_core_state{state="stalled"} 1.0' in metrics.exposition
        assert 'slotline_core_state{state="ready"} 0.0' in metrics.exposition
        # What needs one is not left to wait.
        assert await refusal(core.generate(request(max_tokens=4))) == (grpc.StatusCode.UNAVAILABLE, "STALLED", True)
        gate.open()
        assert (await watch.read()).status == SERVING
        assert len(text_of(await running)) == 4
        assert len(text_of(await core.generate(request(max_tokens=4)))) == 4
        watch.cancel()


async def test_an_idle_core_does_not_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds without work are no seconds without progress."""
    n_looks, enough, look = 0, asyncio.Event(), EngineWatch.look

    def counting(watch: EngineWatch, progress: Progress, *, is_loading: bool) -> str:
        nonlocal n_looks
        n_looks += 1
        if n_looks == 100:
            enough.set()
        return look(watch, progress, is_loading=is_loading)

    monkeypatch.setattr(EngineWatch, "look", counting)
    async with running_core(core_config(hang_timeout_s=0.1)) as core:
        # Ten times the limit.
        await asyncio.wait_for(enough.wait(), WAIT_S)
        health = await core.models.Health(model_pb2.HealthRequest(), timeout=WAIT_S)
        assert health.state == model_pb2.SERVER_STATE_READY
        assert text_of(await core.generate(request(max_tokens=4)))


async def test_without_a_limit_nothing_stalls() -> None:
    gate = Gate()
    async with running_core(core_config(hang_timeout_s=None), load=load_scripted(gate.script)) as core:
        gate.close()
        running = asyncio.ensure_future(core.generate(request(max_tokens=4)))
        await asyncio.to_thread(gate.reached.wait, WAIT_S)
        waiting = asyncio.ensure_future(core.generate(request(max_tokens=4)))
        health = await core.models.Health(model_pb2.HealthRequest(), timeout=WAIT_S)
        assert health.state == model_pb2.SERVER_STATE_READY
        gate.open()
        assert text_of(await running) == text_of(await waiting)


class HeldLoad:
    """A ``load`` that reports nothing until it is let go, and then loads or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.go_on = threading.Event()
        self._failure = failure

    def __call__(self, config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
        on_progress(0.25)
        assert self.go_on.wait(WAIT_S)
        if self._failure is not None:
            raise self._failure
        return scripted_model(config)


async def test_a_load_that_does_not_get_on_is_told_until_it_does() -> None:
    load = HeldLoad()
    async with running_core(core_config(hang_timeout_s=0.05), load=load, wait_ready=False) as core:
        health = await until_state(core, model_pb2.SERVER_STATE_STALLED)
        assert health.message == "loading the model has not got on for 0.5 s"
        assert health.load_progress == 0.25
        assert await refusal(core.generate(request(max_tokens=4))) == (
            grpc.StatusCode.UNAVAILABLE,
            "MODEL_LOADING",
            True,
        )
        load.go_on.set()
        await until_state(core, model_pb2.SERVER_STATE_READY)
        assert text_of(await core.generate(request(max_tokens=4)))


async def test_a_stalled_load_may_fail_after_all() -> None:
    load = HeldLoad(ModelFailed("the disk is gone"))
    async with running_core(core_config(hang_timeout_s=0.05), load=load, wait_ready=False) as core:
        await until_state(core, model_pb2.SERVER_STATE_STALLED)
        load.go_on.set()
        health = await until_state(core, model_pb2.SERVER_STATE_FAILED)
        assert health.message == "the disk is gone"
