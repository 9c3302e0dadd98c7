"""TLS at the core's addresses in the network."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
import requests
from cryptography import x509
from grpc_health.v1 import health_pb2

from rest_adapter.config import RestConfig
from slotline.client import AsyncClient
from slotline.v1 import generation_pb2, inference_service_pb2_grpc, model_pb2, model_service_pb2_grpc
from tests.support.adapter import AdapterThread, post
from tests.support.certificates import Authority, Pair
from tests.support.scripted_core import WAIT_S, core_config, health_stub, running_core, socket_address
from tests.support.server import Server

if TYPE_CHECKING:
    from pathlib import Path

    from service.config import CoreConfig


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def tls_config(pair: Pair, directory: Path, client_ca: Path | None = None) -> CoreConfig:
    """A core whose first address is a unix socket and whose second one speaks TLS."""
    return replace(
        core_config([socket_address(directory), "127.0.0.1:0"]),
        grpc_tls_cert=str(pair.cert),
        grpc_tls_key=str(pair.key),
        grpc_client_ca=None if client_ca is None else str(client_ca),
    )


def tls_channel(address: str, authority: Authority, client: Pair | None = None) -> grpc.aio.Channel:
    """A connection of its own."""
    credentials = grpc.ssl_channel_credentials(
        authority.ca.read_bytes(),
        client.key.read_bytes() if client else None,
        client.cert.read_bytes() if client else None,
    )
    return grpc.aio.secure_channel(address, credentials, options=[("grpc.use_local_subchannel_pool", 1)])


async def health_over(channel: grpc.aio.Channel) -> model_pb2.HealthResponse:
    """The core's health."""
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    call: Any = stub.Health(model_pb2.HealthRequest(), timeout=WAIT_S)
    health: model_pb2.HealthResponse = await call
    return health


async def served_serial(address: str, authority: Authority) -> int:
    """The serial number of the certificate that a new connection gets."""
    context = ssl.create_default_context(cafile=authority.ca)
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    # At once: gRPC has sent its settings, which nobody reads here.
    writer.transport.abort()
    return x509.load_der_x509_certificate(certificate).serial_number


async def test_the_network_speaks_tls_and_the_unix_socket_stays_plain(authority: Authority, temporary: Path) -> None:
    async with running_core(tls_config(authority.issue("server"), temporary)) as core:
        _, address = core.server.addresses
        async with tls_channel(address, authority) as channel:
            over_tls = await health_over(channel)
        async with AsyncClient(core.server.addresses[0]) as client:
            assert (await client.health()).instance_id == over_tls.instance_id
        async with grpc.aio.insecure_channel(address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await health_over(channel)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_core_with_an_authority_for_clients_wants_their_certificates(
    authority: Authority, temporary: Path
) -> None:
    stranger = Authority(temporary, "other").issue("client")
    async with running_core(tls_config(authority.issue("server"), temporary, authority.ca)) as core:
        _, address = core.server.addresses
        async with tls_channel(address, authority, authority.issue("client")) as channel:
            assert (await health_over(channel)).instance_id == core.server.core.instance_id
        for pair in (None, stranger):
            async with tls_channel(address, authority, pair) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await health_over(channel)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_new_certificates_are_taken_without_harm_to_running_streams(
    authority: Authority, temporary: Path
) -> None:
    async with running_core(tls_config(authority.issue("server"), temporary)) as core:
        _, address = core.server.addresses
        before = await served_serial(address, authority)
        async with tls_channel(address, authority) as channel:
            stub = inference_service_pb2_grpc.InferenceServiceStub(channel)
            request = generation_pb2.GenerateRequest(text="abc")
            request.stop.max_tokens = 200
            call: Any = stub.Generate(request, timeout=WAIT_S)
            stream = aiter(call)
            first = await anext(stream)
            authority.issue("server")
            after = await served_serial(address, authority)
            last = [message async for message in stream][-1]
    assert before != after
    assert first.HasField("accepted")
    assert last.finished.tokens_predicted == 200


async def test_broken_new_certificates_leave_the_old_ones_in_force(
    authority: Authority, temporary: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair = authority.issue("server")
    async with running_core(tls_config(pair, temporary)) as core:
        _, address = core.server.addresses
        before = await served_serial(address, authority)
        pair.key.write_text("this is no key")
        assert [await served_serial(address, authority) for _ in range(2)] == [before, before]
        authority.issue("server")
        assert await served_serial(address, authority) != before
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.__dict__["reason"] for record in errors] == [f"grpc_tls_key: {pair.key} holds no private key in PEM"]


@pytest.mark.parametrize("command", ["serve", "core"])
def test_a_certificate_that_cannot_be_read_ends_the_start_with_one_line(command: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    arguments = ["--grpc-tls-cert", missing, "--grpc-tls-key", missing]
    ran = subprocess.run(
        [sys.executable, "-m", "slotline.cli", command, *arguments], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr == f"error: --grpc-tls-cert: {missing} cannot be read: No such file or directory\n"


def test_serve_speaks_tls_to_grpc_clients_and_rest_goes_on_over_its_own_socket(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = authority.issue("server")
    options = [
        "--grpc-tls-cert",
        str(pair.cert),
        "--grpc-tls-key",
        str(pair.key),
        "--grpc-client-ca",
        str(authority.ca),
    ]
    client = authority.issue("client")
    monkeypatch.delenv("GRPC_VERBOSITY")
    with Server("-c", "256", *options) as server:
        server.wait_until_ready()
        body = {"prompt": "One, two,", "n_predict": 2}
        answer = requests.post(f"{server.rest_url}/completion", json=body, timeout=WAIT_S).json()
        credentials = grpc.ssl_channel_credentials(
            authority.ca.read_bytes(), client.key.read_bytes(), client.cert.read_bytes()
        )
        with grpc.insecure_channel(server.grpc_address) as channel, pytest.raises(grpc.RpcError):
            health_stub(channel).Check(health_pb2.HealthCheckRequest(), timeout=WAIT_S)
        with grpc.secure_channel(server.grpc_address, credentials) as channel:
            response = health_stub(channel).Check(health_pb2.HealthCheckRequest(), timeout=WAIT_S)
    assert answer["tokens_predicted"] == 2
    assert response.status == health_pb2.HealthCheckResponse.SERVING
    assert "with TLS, for clients with a certificate" in server.stderr
    assert "Handshake" not in server.stderr


async def test_an_adapter_of_its_own_reaches_a_core_over_tls(authority: Authority, temporary: Path) -> None:
    mine = authority.issue("adapter")
    async with running_core(tls_config(authority.issue("server"), temporary, authority.ca)) as core:
        plain = RestConfig(core=core.server.addresses[1])
        with_tls = replace(plain, core_ca=str(authority.ca), core_cert=str(mine.cert), core_key=str(mine.key))
        renamed = replace(with_tls, core_server_name="localhost")
        statuses = [await asyncio.to_thread(status_of_completion, config) for config in (with_tls, renamed, plain)]
    assert statuses == [200, 200, 503]


def status_of_completion(config: RestConfig) -> int:
    """The status of a completion over REST."""
    adapter = AdapterThread(config)
    try:
        return post(adapter, "/completion", prompt="abc", n_predict=2).status_code
    finally:
        adapter.close()


def test_files_for_the_core_that_cannot_be_used_end_the_start_of_an_adapter_with_one_line(
    authority: Authority, tmp_path: Path
) -> None:
    missing, pair, other = str(tmp_path / "missing.pem"), authority.issue("a"), authority.issue("b")
    no_ca = ["--core-ca", missing]
    wrong_key = ["--core-ca", str(authority.ca), "--core-cert", str(pair.cert), "--core-key", str(other.key)]
    no_pem = ["--core-ca", str(pair.key)]
    for arguments, problem in (
        (no_ca, f"--core-ca {missing} cannot be read: No such file or directory"),
        (wrong_key, f"--core-cert {pair.cert} --core-key {other.key} cannot be used: key values mismatch"),
        (no_pem, f"--core-ca {pair.key} cannot be used: no certificate or crl found"),
    ):
        command = [sys.executable, "-m", "slotline.cli", "rest", "--port", "0", *arguments]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_S)
        assert (ran.returncode, ran.stderr) == (1, f"error: {problem}\n")


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (["--core-cert", "a", "--core-ca", "b"], "--core-key"),
        (["--core-key", "a", "--core-ca", "b"], "--core-cert"),
        (["--core-cert", "a", "--core-key", "b"], "--core-ca"),
        (["--core-server-name", "a"], "--core-ca"),
    ],
)
def test_an_option_of_tls_that_means_nothing_alone_is_refused(arguments: list[str], needed: str) -> None:
    command = [sys.executable, "-m", "slotline.cli", "rest", "--port", "0", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_S)
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"error: {arguments[0]} a is of no use without {needed}\n")
