"""A core's life: loading, ready, failed, draining; and what callers see of it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2

from service.api.server.core_server import LIVENESS, SERVICES, CoreServer
from service.api.status import CoreState
from service.errors import InvalidArgument, ModelFailed
from slotline.v1 import generation_pb2, model_pb2, sampling_pb2, tokenization_pb2
from tests.support.calls import refusal
from tests.support.scripted_core import (
    WAIT_S,
    Gate,
    RunningCore,
    ScriptedLoadedModel,
    client_of,
    core_config,
    health_stub,
    load_scripted,
    running_core,
    text_of,
    until_ready,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from service.api.served_model import LoadedModel
    from service.config import ModelConfig

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def request(max_tokens: int = 8) -> generation_pb2.GenerateRequest:
    """A greedy request."""
    return generation_pb2.GenerateRequest(
        text="Hello",
        sampling=sampling_pb2.SamplingParams(temperature=0),
        stop=generation_pb2.StopParams(max_tokens=max_tokens),
    )


class SlowLoad:
    """A load that reports some progress and then waits, until it is let go or told to give up."""

    def __init__(self, outcome: Callable[[], LoadedModel] | None = None) -> None:
        self.halfway = threading.Event()
        self.go_on = threading.Event()
        self.gave_up = threading.Event()
        self._outcome = outcome

    def __call__(self, config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
        on_progress(0.5)
        self.halfway.set()
        while not self.go_on.wait(0.001):
            if not on_progress(0.5):
                self.gave_up.set()
                raise ModelFailed("given up")
        if self._outcome is not None:
            return self._outcome()
        return load_scripted()(config, on_progress=on_progress)


class TestLoading:
    """Before the model is there."""

    @pytest.fixture
    def load(self) -> SlowLoad:
        return SlowLoad()

    @pytest.fixture
    async def core(self, load: SlowLoad) -> AsyncIterator[RunningCore]:
        async with running_core(load=load, wait_ready=False) as running:
            assert await asyncio.to_thread(load.halfway.wait, WAIT_S)
            yield running

    async def test_health_tells_how_far_it_is(self, core: RunningCore) -> None:
        health = await core.models.Health(model_pb2.HealthRequest())
        assert health.state == model_pb2.SERVER_STATE_LOADING
        assert health.load_progress == 0.5
        assert health.instance_id
        assert health.queue_limit == 128

    @pytest.mark.parametrize("service", ["", *SERVICES])
    async def test_standard_health_turns_to_serving_when_it_is_ready(
        self, core: RunningCore, load: SlowLoad, service: str
    ) -> None:
        watch = health_stub(core.channel).Watch(health_pb2.HealthCheckRequest(service=service), timeout=WAIT_S)
        assert (await watch.read()).status == NOT_SERVING
        load.go_on.set()
        assert (await watch.read()).status == SERVING
        check = await health_stub(core.channel).Check(health_pb2.HealthCheckRequest(service=service))
        assert check.status == SERVING
        watch.cancel()
        assert text_of(await core.generate(request()))
        health = await core.models.Health(model_pb2.HealthRequest())
        assert (health.state, health.load_progress) == (model_pb2.SERVER_STATE_READY, 1)

    async def test_the_process_is_alive_while_it_loads_and_drains(self, core: RunningCore, load: SlowLoad) -> None:
        health, alive = health_stub(core.channel), health_pb2.HealthCheckRequest(service=LIVENESS)
        assert (await health.Check(alive)).status == SERVING
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == NOT_SERVING
        load.go_on.set()
        await until_ready(core)
        await core.server.drain()
        assert (await health.Check(alive)).status == SERVING
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == NOT_SERVING

    async def test_everything_that_needs_the_model_is_refused_for_now(self, core: RunningCore) -> None:
        expected = (grpc.StatusCode.UNAVAILABLE, "MODEL_LOADING", True)
        assert await refusal(core.generate(request())) == expected
        assert await refusal(core.models.ListModels(model_pb2.ListModelsRequest())) == expected
        assert await refusal(core.models.ListSlots(model_pb2.ListSlotsRequest())) == expected
        assert await refusal(core.inference.Tokenize(tokenization_pb2.TokenizeRequest(text="a"))) == expected

    async def test_stopping_gives_the_load_up(self, core: RunningCore, load: SlowLoad) -> None:
        assert await core.server.stop()
        assert load.gave_up.is_set()
        assert core.server.core.state is CoreState.DRAINING

    async def test_an_unknown_service_has_no_health(self, core: RunningCore) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health_stub(core.channel).Check(health_pb2.HealthCheckRequest(service="nope"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


class TestListening:
    """Where a core listens."""

    async def test_may_be_a_path_in_the_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        async with running_core(core_config(["unix:core.sock"])) as core:
            assert core.server.addresses == (f"unix:{tmp_path}/core.sock",)
            assert (await core.models.Health(model_pb2.HealthRequest())).state == model_pb2.SERVER_STATE_READY


class TestFailedLoad:
    """A model that cannot be loaded: the core stays up and says so."""

    @staticmethod
    def failing(error: BaseException) -> SlowLoad:
        def fail() -> LoadedModel:
            raise error

        return SlowLoad(fail)

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (ModelFailed("no such file: /models/scripted.gguf"), "no such file: /models/scripted.gguf"),
            (ValueError("surprise"), "ValueError: surprise"),
        ],
    )
    async def test_is_told_by_health_and_every_refusal(self, error: BaseException, message: str) -> None:
        load = self.failing(error)
        async with running_core(load=load, wait_ready=False) as core:
            load.go_on.set()
            await self.until_failed(core)
            health = await core.models.Health(model_pb2.HealthRequest())
            assert health.message == message
            assert await refusal(core.generate(request())) == (grpc.StatusCode.UNAVAILABLE, "MODEL_FAILED", False)
            check = await health_stub(core.channel).Check(health_pb2.HealthCheckRequest())
            assert check.status == NOT_SERVING
            assert not core.server.core.has_died.is_set()

    async def test_is_told_with_the_names_under_which_its_fields_were_set(self) -> None:
        load = self.failing(InvalidArgument("n_ctx", "is 5; allowed: 16 or more with `n_parallel` 2"))
        names = {"n_ctx": "--ctx-size", "n_parallel": "--parallel"}
        async with running_core(core_config(field_names=names), load=load, wait_ready=False) as core:
            load.go_on.set()
            await self.until_failed(core)
            health = await core.models.Health(model_pb2.HealthRequest())
        assert health.message == "--ctx-size: is 5; allowed: 16 or more with --parallel 2"

    async def test_may_be_caused_by_the_chat_template_of_the_command_line(self) -> None:
        async with running_core(core_config(chat_template="{% if %}"), wait_ready=False) as core:
            await self.until_failed(core)
            health = await core.models.Health(model_pb2.HealthRequest())
            assert "chat template" in health.message
            assert "TemplateSyntaxError" in health.message

    def test_is_not_needed_to_find_an_unknown_template_name(self) -> None:
        with pytest.raises(InvalidArgument, match="chat_template: 'vicuna' is neither"):
            CoreServer(core_config(chat_template="vicuna"))

    @staticmethod
    async def until_failed(core: RunningCore) -> None:
        """Wait for the state."""
        async with asyncio.timeout(WAIT_S):
            while (await core.models.Health(model_pb2.HealthRequest())).state != model_pb2.SERVER_STATE_FAILED:
                pass


class TestDrain:
    """Going down without breaking what runs."""

    @pytest.fixture
    def gate(self) -> Gate:
        return Gate()

    @pytest.fixture
    async def busy(self, gate: Gate) -> AsyncIterator[tuple[RunningCore, Any]]:
        """A core with a running call that is held in a step."""
        async with running_core(load=load_scripted(gate.script)) as core:
            gate.close(after=3)
            call = core.inference.Generate(request(20), timeout=WAIT_S)
            assert await asyncio.to_thread(gate.reached.wait, WAIT_S)
            yield core, call
            gate.open()

    async def test_running_streams_finish_and_new_ones_are_refused(
        self, busy: tuple[RunningCore, Any], gate: Gate
    ) -> None:
        core, call = busy
        watch = health_stub(core.channel).Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_S)
        assert (await watch.read()).status == SERVING
        draining = asyncio.ensure_future(core.server.drain())
        assert (await watch.read()).status == NOT_SERVING
        assert await refusal(core.generate(request())) == (grpc.StatusCode.UNAVAILABLE, "DRAINING", True)
        health = await core.models.Health(model_pb2.HealthRequest())
        assert health.state == model_pb2.SERVER_STATE_DRAINING
        assert (await core.inference.Tokenize(tokenization_pb2.TokenizeRequest(text="a"))).count == 1
        assert not draining.done()
        gate.open()
        messages = [message async for message in call]
        assert messages[-1].finished.tokens_predicted == 20
        await draining
        watch.cancel()

    async def test_streams_that_do_not_finish_in_time_end_as_cancelled(self, gate: Gate) -> None:
        server = CoreServer(core_config(drain_timeout_s=0.0), load=load_scripted(gate.script))
        await server.start()
        async with client_of(server) as core:
            await until_ready(core)
            gate.close(after=3)
            call = core.inference.Generate(request(20), timeout=WAIT_S)
            assert await asyncio.to_thread(gate.reached.wait, WAIT_S)
            await server.drain()
            stopping = asyncio.ensure_future(server.stop())
            await asyncio.wait([stopping], timeout=0)
            gate.open()
            messages = [message async for message in call]
            assert await stopping
        finished = messages[-1].finished
        assert finished.reason == generation_pb2.FINISH_REASON_CANCELLED
        assert 0 < finished.tokens_predicted < 20
        assert len(text_of(messages)) == finished.tokens_predicted

    async def test_frees_the_model_after_the_engines_end(self) -> None:
        model = ScriptedLoadedModel(n_cells=512, n_seq_max=3)

        def load(config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
            return model

        async with running_core(load=load):
            assert not model.is_closed
        assert model.is_closed

    async def test_without_work_is_over_at_once(self) -> None:
        async with running_core() as core:
            await core.server.drain()
            assert core.server.core.state is CoreState.DRAINING


class TestDeadEngine:
    """An engine that dies after it has served."""

    async def test_ends_its_streams_and_tells_the_server(self) -> None:
        def script(tokens: Any) -> int:
            if len(tokens) > 8:
                raise SystemError("simulated")
            return 97

        async with running_core(load=load_scripted(script)) as core:
            call = core.inference.Generate(request(20), timeout=WAIT_S)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                [message async for message in call]
            assert caught.value.code() is grpc.StatusCode.INTERNAL
            await asyncio.wait_for(core.server.core.has_died.wait(), WAIT_S)
            assert core.server.core.state is CoreState.FAILED
            check = await health_stub(core.channel).Check(health_pb2.HealthCheckRequest())
            assert check.status == NOT_SERVING
