"""API keys over real sockets: on gRPC, between adapter and core, and of a whole server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import psutil
import pytest
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from slotline.client import AsyncClient, Client, SlotlineError
from slotline.v1 import generation_pb2, inference_service_pb2_grpc, model_pb2, model_service_pb2_grpc
from tests.support.calls import error_details
from tests.support.scripted_core import WAIT_S, RunningCore, core_config, running_core, socket_address
from tests.support.server import PATIENCE_S, SLOTLINE, RunningProcess, Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

KEYS = ("sk-first-key", "second key")
SERVING = health_pb2.HealthCheckResponse.SERVING
Metadata = tuple[tuple[str, str | bytes], ...]


def bearer(key: str) -> Metadata:
    return (("authorization", f"Bearer {key}"),)


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[RunningCore]:
    """A core with keys that listens on TCP and on a unix socket."""
    config = core_config(["127.0.0.1:0", socket_address(tmp_path)], api_keys=KEYS)
    async with running_core(config) as running:
        yield running


@pytest.fixture(params=[0, 1], ids=["tcp", "unix"])
def address(core: RunningCore, request: pytest.FixtureRequest) -> str:
    address: str = core.server.addresses[request.param]
    return address


@pytest.fixture
async def channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(address) as channel:
        yield channel


def unary(channel: grpc.aio.Channel, metadata: Metadata) -> Any:
    stub: Any = model_service_pb2_grpc.ModelServiceStub(channel)
    return stub.ListSlots(model_pb2.ListSlotsRequest(), metadata=metadata, timeout=WAIT_S)


async def stream(channel: grpc.aio.Channel, metadata: Metadata) -> list[Any]:
    stub: Any = inference_service_pb2_grpc.InferenceServiceStub(channel)
    request = generation_pb2.GenerateRequest(text="Hello", stop=generation_pb2.StopParams(max_tokens=2))
    return [message async for message in stub.Generate(request, metadata=metadata, timeout=WAIT_S)]


def reflected(address: str, metadata: Metadata) -> list[Any]:
    """A call with a stream of requests, made without asyncio, whose client hides the status of a call that ends before
    its request was written.
    """
    with grpc.insecure_channel(address) as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        return list(stub.ServerReflectionInfo(asked, metadata=metadata, timeout=WAIT_S))


async def unknown(channel: grpc.aio.Channel, metadata: Metadata) -> Any:
    call: Any = channel.unary_unary("/slotline.v1.Nothing/Nothing")
    return await call(b"not a message", metadata=metadata, timeout=WAIT_S)


@pytest.mark.parametrize("call", [unary, stream])
@pytest.mark.parametrize("key", KEYS)
async def test_calls_of_every_kind_go_on_with_any_of_the_keys(
    call: Callable[..., Any], key: str, address: str, channel: grpc.aio.Channel
) -> None:
    assert await call(channel, bearer(key))
    assert await asyncio.to_thread(reflected, address, bearer(key))


@pytest.mark.parametrize(
    "metadata",
    [
        (("authorization", "bearer sk-first-key"),),
        (("authorization", "BEARER   second key"),),
        (("x-api-key", "second key"),),
        (("authorization", "Basic c2s6"), ("x-api-key", "sk-first-key")),
    ],
)
async def test_a_key_may_come_in_other_forms(metadata: Metadata, channel: grpc.aio.Channel) -> None:
    assert await unary(channel, metadata)


BAD_METADATA: list[Metadata] = [
    (),
    bearer("wrong"),
    bearer(""),
    bearer("SK-FIRST-KEY"),
    bearer("sk-first-key2"),
    (("authorization", "sk-first-key"),),
    (("authorization", "Basic sk-first-key"),),
    (("x-api-key", "wrong"),),
    (("x-api-key", "sk-first-key"), ("x-api-key", "sk-first-key")),
    (*bearer("wrong"), ("x-api-key", "sk-first-key")),
    (("authorization-bin", b"Bearer sk-first-key\xff"),),
    (*bearer("sk-first-key"), *bearer("sk-first-key")),
]


@pytest.mark.parametrize("call", [unary, stream, unknown])
@pytest.mark.parametrize("metadata", BAD_METADATA)
async def test_calls_of_every_kind_are_refused_without_one(
    call: Callable[..., Any], metadata: Metadata, channel: grpc.aio.Channel
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, metadata)
    check_refusal(caught.value)


@pytest.mark.parametrize("metadata", BAD_METADATA)
async def test_calls_with_a_stream_of_requests_are_refused_without_one(metadata: Metadata, address: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await asyncio.to_thread(reflected, address, metadata)
    check_refusal(caught.value)


def check_refusal(error: Any) -> None:
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert (error.details() or "").startswith("metadata authorization: is missing or holds no valid API key;")
    info, _, retry = error_details(error)
    assert (info.reason, info.domain) == ("INVALID_API_KEY", "slotline")
    assert not retry.HasField("retry_delay")


async def test_a_call_is_refused_before_it_has_sent_anything(core: RunningCore) -> None:
    call: Any = core.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    silent = call(timeout=WAIT_S)
    assert await silent.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_probes_of_standard_health_need_no_key(channel: grpc.aio.Channel) -> None:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    assert (await stub.Check(health_pb2.HealthCheckRequest(), timeout=WAIT_S)).status == SERVING
    watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_S)
    assert (await watch.read()).status == SERVING
    watch.cancel()


async def test_a_refusal_is_logged_without_the_key(core: RunningCore, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await unary(core.channel, bearer("guessed"))
    (record,) = [record for record in caplog.records if record.getMessage() == "Unauthorized: Invalid API Key"]
    assert record.levelno == logging.WARNING
    assert record.__dict__["method"] == "/slotline.v1.ModelService/ListSlots"
    assert not any("guessed" in str(value) for value in record.__dict__.values())


async def test_the_python_client_presents_a_key(core: RunningCore) -> None:
    address = core.server.addresses[0]
    async with AsyncClient(address, api_key=KEYS[0], deadline_s=WAIT_S) as client:
        assert (await client.health()).state == model_pb2.SERVER_STATE_READY
        assert len((await client.complete("Hello", max_tokens=4)).text) == 4
    async with AsyncClient(address, api_key="wrong", deadline_s=WAIT_S) as client:
        with pytest.raises(SlotlineError) as caught:
            await client.complete("Hello")
        assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.UNAUTHENTICATED, "INVALID_API_KEY")


async def test_without_keys_nobody_needs_one() -> None:
    async with running_core() as core:
        assert await unary(core.channel, ())
        assert await unary(core.channel, bearer("whatever"))


# Whole servers.


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text("key-of-the-file\r\n\n")
    return path


@pytest.fixture(scope="module")
def server(keys_file: Path) -> Iterator[Server]:
    """A server that takes a key from a variable and one from a file."""
    with Server(
        "--api-key-file",
        str(keys_file),
        "--verbose",
        environment={"SLOTLINE_CTX_SIZE": "256", "SLOTLINE_EMBEDDING": "yes", "SLOTLINE_CTXSIZE": "1"},
    ) as server:
        server.wait_until_ready()
        yield server


def get(url: str, key: str | None = None) -> requests.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return requests.get(url, headers=headers, timeout=PATIENCE_S)


def test_rest_needs_the_key(server: Server) -> None:
    completion = f"{server.rest_url}/completion"
    body = {"prompt": "Once", "n_predict": 2}
    headers = {"Authorization": "Bearer key-of-the-file"}
    # The connection is used again after a refusal whose body nobody read.
    with requests.Session() as session:
        refused = session.post(completion, json=body, timeout=PATIENCE_S)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert refused.json()["error"]["type"] == "authentication_error"
        answer = session.post(completion, json=body, headers=headers, timeout=PATIENCE_S)
    assert (answer.status_code, answer.json()["tokens_predicted"]) == (200, 2)
    assert get(f"{server.rest_url}/slots", "key-of-the-file\x80").status_code == 401
    assert get(f"{server.rest_url}/health").status_code == 200


def test_grpc_needs_the_key(server: Server) -> None:
    with Client(server.grpc_address, api_key="key-of-the-file", deadline_s=PATIENCE_S) as client:
        assert client.health().state == model_pb2.SERVER_STATE_READY
    with (
        Client(server.grpc_address, deadline_s=PATIENCE_S) as client,
        pytest.raises(SlotlineError, match=r"^INVALID_API_KEY: "),
    ):
        client.health()


def test_a_client_is_the_same_over_both_ports_and_another_one_is_not(keys_file: Path) -> None:
    prompt = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    generated = generation_pb2.GenerateRequest(text=prompt, stop=generation_pb2.StopParams(max_tokens=1))
    with Server("--api-key-file", str(keys_file), "--api-key", "other-key", "-c", "512", "-np", "2") as server:
        server.wait_until_ready()
        headers = {"Authorization": "Bearer key-of-the-file"}
        body = {"prompt": prompt, "n_predict": 1}
        requests.post(f"{server.rest_url}/completion", json=body, headers=headers, timeout=PATIENCE_S)
        cached = {}
        with grpc.insecure_channel(server.grpc_address) as channel:
            stub: Any = inference_service_pb2_grpc.InferenceServiceStub(channel)
            for key in ("other-key", "key-of-the-file"):
                *_, last = stub.Generate(generated, metadata=bearer(key), timeout=PATIENCE_S)
                cached[key] = last.finished.usage.cached_prompt_tokens
    assert cached["other-key"] == 0
    assert cached["key-of-the-file"] > 10


@pytest.mark.parametrize("kind", ["--grpc", "--http"])
def test_health_checks_need_none(server: Server, kind: str) -> None:
    target = server.grpc_address if kind == "--grpc" else f"{server.rest_url}/health"
    with RunningProcess((*SLOTLINE, "healthcheck", kind, target)) as check:
        assert check.wait() == 0


def test_variables_reach_the_core_once_and_unknown_ones_are_told(server: Server) -> None:
    props = get(f"{server.rest_url}/props", "key-of-the-file").json()
    assert props["default_generation_settings"]["n_ctx"] == 256
    core = psutil.Process(server.core_pid())
    assert "--embedding" in core.cmdline()
    assert [name for name in core.environ() if name.startswith("SLOTLINE_")] == []
    warnings = [record["msg"] for record in server.records if "environment variable" in record["msg"]]
    assert warnings == [
        "the environment variable SLOTLINE_CTXSIZE is no option and has no effect; nearest is SLOTLINE_CTX_SIZE"
    ]


def test_no_key_can_be_seen(server: Server) -> None:
    assert "keys    ****file; clients send" in server.stderr
    server.wait_for_record("API keys are demanded", api_keys="****file")
    for text in (server.stdout, server.stderr, *psutil.Process(server.core_pid()).cmdline()):
        assert "key-of-the-file" not in text


def test_keys_survive_the_death_of_the_core(keys_file: Path) -> None:
    with Server("--api-key-file", str(keys_file), "-c", "256") as server:
        server.wait_until_ready()
        os.kill(server.core_pid(), 9)
        server.wait_until_ready_again()
        assert get(f"{server.rest_url}/props").status_code == 401
        assert get(f"{server.rest_url}/props", "key-of-the-file").status_code == 200


@contextlib.contextmanager
def adapter(
    core: str, *options: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[RunningProcess, str]]:
    command = (*SLOTLINE, "rest", "--core", core, "--port", "0", *options)
    with RunningProcess(command, environment=environment) as process:
        yield process, f"http://127.0.0.1:{process.wait_for_record('HTTP server listening')['port']}"


def test_an_adapter_alone_presents_its_key_to_the_core(server: Server, keys_file: Path) -> None:
    with adapter(server.grpc_address, "--core-api-key-file", str(keys_file)) as (_, url):
        assert get(f"{url}/props").status_code == 200
    # Its own key is tried where no other is given.
    with adapter(server.grpc_address, environment={"SLOTLINE_API_KEY": "key-of-the-file"}) as (_, url):
        assert get(f"{url}/props").status_code == 401
        assert get(f"{url}/props", "key-of-the-file").status_code == 200


def test_an_adapter_without_the_cores_key_says_whose_fault_it_is(server: Server) -> None:
    with adapter(server.grpc_address, "--core-api-key", "wrong-key") as (process, url):
        answer = get(f"{url}/props")
        assert (answer.status_code, answer.json()["error"]["type"]) == (500, "server_error")
        assert "WWW-Authenticate" not in answer.headers
        assert get(f"{url}/health").status_code == 500
        process.wait_for_record("the core refuses this adapter's API key")
        assert "wrong-key" not in process.stdout + process.stderr


@pytest.mark.parametrize("command", ["serve", "core", "rest"])
def test_an_unreadable_file_of_keys_stops_the_start(command: str) -> None:
    with RunningProcess((*SLOTLINE, command, "--api-key-file", "/nothing")) as process:
        assert process.wait() == 1
        assert process.stderr == (
            "error: failed to open file '/nothing'\nerror: invalid parameter for argument: --api-key-file\n"
        )
