"""Priorities of calls over real connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest

from service.config import ModelConfig
from slotline.client import AsyncClient
from tests.support.calls import error_details, request, scripted_text, until, until_idle
from tests.support.scripted_core import Gate, RunningCore, core_config, load_scripted, running_core, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from slotline.v1 import model_pb2

MODEL = ModelConfig(path="/models/scripted.gguf", n_ctx=256, n_parallel=1)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def core(gate: Gate) -> AsyncIterator[RunningCore]:
    """One slot, whose steps can be held."""
    async with running_core(core_config(model=MODEL), load=load_scripted(gate.script)) as running:
        yield running
        gate.open()


async def collect(call: Any) -> str:
    """The text of a call."""
    return text_of([message async for message in call])


@pytest.mark.parametrize("value", ["", "high", "1.5", "101", "-101", "1 2", "0x1"])
async def test_a_value_that_is_no_priority_is_refused(core: RunningCore, value: str) -> None:
    metadata = (("slotline-priority", value),)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await collect(core.inference.Generate(request(), metadata=metadata))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    message = caught.value.details() or ""
    assert "slotline-priority" in message
    assert repr(value) in message
    assert "-100 to 100" in message
    assert error_details(caught.value)[0].metadata["field"] == "metadata slotline-priority"


async def test_two_priorities_are_refused(core: RunningCore) -> None:
    metadata = (("slotline-priority", "1"), ("slotline-priority", "2"))
    with pytest.raises(grpc.aio.AioRpcError, match="2 times"):
        await collect(core.inference.Generate(request(), metadata=metadata))


async def test_a_higher_priority_takes_the_slot_and_gives_it_back(core: RunningCore, gate: Gate) -> None:
    gate.close(after=5)
    call: Any = core.inference.Generate(request("low", 40), metadata=(("slotline-priority", "-3"),))
    low = aiter(call)
    assert (await anext(low)).HasField("accepted")
    await until(core, lambda health: health.slots_processing == 1)
    async with AsyncClient(core.server.addresses[0], priority=7) as client:
        high = client.generate("high", max_tokens=4, temperature=0.0, repeat_penalty=1.0)
        first = anext(aiter(high))
        gate.open()
        text = await first + "".join([part async for part in high])
    assert text == scripted_text(b"high", 4)
    assert await collect(low) == scripted_text(b"low", 40)
    await until_idle(core)


async def test_a_preempted_call_counts_as_waiting(core: RunningCore, gate: Gate) -> None:
    gate.close(after=5)
    low: Any = core.inference.Generate(request("low", 40))
    assert (await low.read()).HasField("accepted")
    high: Any = core.inference.Generate(request("high", 40), metadata=(("slotline-priority", "1"),))

    def holds(health: model_pb2.HealthResponse) -> bool:
        gate.allow(1)
        return (health.slots_processing, health.queue_depth) == (1, 1)

    await until(core, holds)
    low.cancel()
    high.cancel()
    gate.open()
    await until_idle(core)
