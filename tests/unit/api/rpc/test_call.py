"""What every call has in common."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc.status_pb2 import Status

from service.api.rpc.call import RpcCall
from service.api.servicers.inference_servicer import InferenceServicer
from service.errors import InvalidArgument
from slotline.protocol.error_details import DETAILS_KEY
from slotline.v1 import generation_pb2
from tests.support.scripted_core import RunningCore, running_core


class FakeContext:
    """A call that keeps how it was aborted."""

    def __init__(self, time_remaining_s: float | None = None) -> None:
        self.aborted: tuple[grpc.StatusCode, str, Any] | None = None
        self._time_remaining_s = time_remaining_s

    async def abort(self, code: grpc.StatusCode, details: str, trailing_metadata: Any) -> None:
        """End the call as gRPC does: with an exception."""
        self.aborted = (code, details, trailing_metadata)
        raise grpc.aio.AbortError

    def time_remaining(self) -> float | None:
        """Seconds to the deadline."""
        return self._time_remaining_s

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        """What the caller sent beside its message."""
        return ()

    def peer(self) -> str:
        """Who calls."""
        return "test"


async def call(context: Any, error: BaseException | None = None) -> str:
    """A handler that fails, or does not."""
    async with RpcCall("Test", context):
        if error is not None:
            raise error
        return "answer"


async def test_a_successful_call_returns_its_answer() -> None:
    context = FakeContext()
    assert await call(context) == "answer"
    assert context.aborted is None


async def test_a_service_error_becomes_its_status_with_details() -> None:
    context = FakeContext()
    with pytest.raises(grpc.aio.AbortError):
        await call(context, InvalidArgument("field", "is bad"))
    assert context.aborted is not None
    code, details, ((key, value),) = context.aborted
    assert (code, details, key) == (grpc.StatusCode.INVALID_ARGUMENT, "field: is bad", DETAILS_KEY)
    assert Status.FromString(value).message == details


@pytest.mark.parametrize("kind", [asyncio.CancelledError, GeneratorExit, KeyboardInterrupt])
async def test_what_is_not_an_error_passes_through(kind: type[BaseException]) -> None:
    context = FakeContext()
    with pytest.raises(kind):
        await call(context, kind())
    assert context.aborted is None


async def test_an_unexpected_error_is_logged_once_and_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    context = FakeContext()
    with pytest.raises(grpc.aio.AbortError):
        await call(context, ZeroDivisionError("secret"))
    assert context.aborted is not None
    code, details, _ = context.aborted
    assert code is grpc.StatusCode.INTERNAL
    assert "secret" not in details
    (record,) = caplog.records
    assert "secret" in caplog.text
    assert record.__dict__["method"] == "Test"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "OK"), (asyncio.CancelledError(), "CANCELLED"), (InvalidArgument("field", "is bad"), "INVALID_ARGUMENT")],
)
async def test_a_debug_record_tells_how_a_call_went(
    caplog: pytest.LogCaptureFixture, error: BaseException | None, outcome: str
) -> None:
    caplog.set_level("DEBUG", "service.api")
    await asyncio.gather(call(FakeContext(), error), return_exceptions=True)
    (record,) = [record for record in caplog.records if record.name == "service.api.rpc.call"]
    assert (record.__dict__["method"], record.__dict__["outcome"]) == ("Test", outcome)
    assert record.__dict__["milliseconds"] >= 0


class TestDeadline:
    """A call whose deadline has passed before it is looked at."""

    @pytest.fixture
    async def core(self) -> Any:
        async with running_core() as running:
            yield running

    async def generate(self, core: RunningCore, context: Any) -> list[Any]:
        """Run the handler itself."""
        request = generation_pb2.GenerateRequest(text="Hello", stop=generation_pb2.StopParams(max_tokens=1))
        return [message async for message in InferenceServicer(core.server.core).Generate(request, context)]

    @pytest.mark.parametrize("remaining_s", [0.0, -1.0])
    async def test_is_refused(self, core: RunningCore, remaining_s: float) -> None:
        context = FakeContext(remaining_s)
        with pytest.raises(grpc.aio.AbortError):
            await self.generate(core, context)
        assert context.aborted is not None
        assert context.aborted[0] is grpc.StatusCode.DEADLINE_EXCEEDED
        assert core.server.core.snapshot().counters.steps == 0

    @pytest.mark.parametrize("remaining_s", [None, 60.0])
    async def test_is_served_otherwise(self, core: RunningCore, remaining_s: float | None) -> None:
        assert len(await self.generate(core, FakeContext(remaining_s))) == 3
