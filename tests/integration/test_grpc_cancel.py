"""Calls of ``Generate`` that end before their answer does: every slot becomes free again."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest

from service.api.core.collector import Collector
from service.api.servicers import inference_servicer as inference
from slotline.v1 import (
    generation_pb2,
    inference_service_pb2_grpc,
    model_pb2,
)
from tests.support.calls import error_details, request, scripted_text, until, until_idle
from tests.support.scripted_core import (
    WAIT_S,
    Gate,
    RunningCore,
    load_scripted,
    running_core,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def core() -> AsyncIterator[RunningCore]:
    async with running_core() as running:
        yield running


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def held(gate: Gate) -> AsyncIterator[RunningCore]:
    """A core whose model decodes only while the gate is open."""
    async with running_core(load=load_scripted(gate.script)) as running:
        yield running
        gate.open()


class TestEndingEarly:
    """However a call ends, its slot becomes free."""

    async def start(self, core: RunningCore, gate: Gate) -> Any:
        """A call that is accepted and generates, held in a step."""
        gate.close(after=3)
        call: Any = core.inference.Generate(request(max_tokens=200), timeout=WAIT_S)
        assert (await call.read()).HasField("accepted")
        assert await asyncio.to_thread(gate.reached.wait, WAIT_S)
        return call

    async def assert_cancelled(self, core: RunningCore, gate: Gate) -> None:
        """The call's handler ends while the step is held, and its request with that step."""
        await core.server.core.wait_until_idle(WAIT_S)
        gate.open()
        await until_idle(core)
        slots = (await core.models.ListSlots(model_pb2.ListSlotsRequest())).slots
        assert max(slot.tokens_predicted for slot in slots) < 8
        assert text_of(await core.generate(request())) == scripted_text(b"Hello", 8)

    async def test_by_cancellation_while_it_generates(self, held: RunningCore, gate: Gate) -> None:
        call = await self.start(held, gate)
        assert call.cancel()
        await self.assert_cancelled(held, gate)

    async def test_by_cancellation_while_its_prompt_is_evaluated(self, held: RunningCore, gate: Gate) -> None:
        gate.close()
        call = held.inference.Generate(request(max_tokens=200))
        assert await asyncio.to_thread(gate.reached.wait, WAIT_S)
        assert call.cancel()
        await self.assert_cancelled(held, gate)

    async def test_by_cancellation_while_it_waits(self, held: RunningCore, gate: Gate) -> None:
        async def step_until(processing: int, waiting: int) -> None:
            """Let the model go on, token by token."""

            def holds(health: model_pb2.HealthResponse) -> bool:
                gate.allow(1)
                return (health.slots_processing, health.queue_depth) == (processing, waiting)

            await until(held, holds)

        gate.close()
        running = [held.inference.Generate(request(max_tokens=200)) for _ in range(2)]
        await step_until(2, 0)
        waiting = [held.inference.Generate(request()) for _ in range(3)]
        await step_until(2, 3)
        for call in waiting:
            call.cancel()
        await step_until(2, 0)
        for call in running:
            call.cancel()
        await step_until(0, 0)

    async def test_by_its_deadline(self, held: RunningCore, gate: Gate) -> None:
        gate.close()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in held.inference.Generate(request(max_tokens=200), timeout=0.2):
                pass
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await self.assert_cancelled(held, gate)

    async def test_by_the_clients_end(self, gate: Gate) -> None:
        async with running_core(load=load_scripted(gate.script)) as core:
            async with grpc.aio.insecure_channel(core.server.addresses[0]) as channel:
                stub: Any = inference_service_pb2_grpc.InferenceServiceStub(channel)
                await self.start(RunningCore(core.server, channel, stub, core.models), gate)
            await self.assert_cancelled(core, gate)

    async def test_because_nobody_reads(self, core: RunningCore, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(inference, "Collector", partial(Collector, max_backlog=20_000))
        output = generation_pb2.OutputOptions(n_probs=258)
        call: Any = core.inference.Generate(
            request(max_tokens=4_000, output=output, overflow=generation_pb2.OVERFLOW_TRUNCATE), timeout=WAIT_S
        )
        assert (await call.read()).HasField("accepted")
        await until_idle(core)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _read_to_the_end(call)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error_details(caught.value)[0].metadata["limit"] == "20000"


async def _read_to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


class TestHeldStep:
    """While the engine is inside a long step."""

    async def test_health_slots_and_tokenising_answer(self, held: RunningCore, gate: Gate) -> None:
        call = await TestEndingEarly().start(held, gate)
        health = await held.models.Health(model_pb2.HealthRequest(), timeout=WAIT_S)
        assert (health.slots_processing, health.slots_idle) == (1, 1)
        slots = (await held.models.ListSlots(model_pb2.ListSlotsRequest(), timeout=WAIT_S)).slots
        assert [slot.text for slot in slots if slot.state == model_pb2.SLOT_STATE_DECODE] == ["Hello"]
        call.cancel()
