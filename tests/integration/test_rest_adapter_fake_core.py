"""The adapter over real sockets in front of a core without a model: answers, errors, several prompts, restarts."""

from __future__ import annotations

import json
import logging
import queue
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
import openai
import pytest
import requests

from rest_adapter.apis.openai.models import route as models_route
from rest_adapter.config import RestConfig
from rest_adapter.core.client import FAN_OUT
from rest_adapter.rest_server import RestServer
from slotline.cli import logs
from slotline.v1.generation_pb2 import FINISH_REASON_CANCELLED, GenerateRequest
from tests.support.adapter import AdapterThread, post
from tests.support.fake_core import WAIT_S, FakeCore, Hold, Refuse, Step, accepted, delta, finished, whole
from tests.support.http_stream import HttpConnection, event_data, post_bytes, request_bytes
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def wait_until_healthy(adapter: AdapterThread) -> None:
    """Ask until the adapter has found the core again; each question lets it try anew."""
    for _ in range(10_000):
        if requests.get(adapter.url + "/health", timeout=WAIT_S).status_code == 200:
            return
    raise AssertionError("the adapter does not find the core")


# Streams.


def test_every_event_is_one_chunk(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: [accepted(), delta("a", "", "é"), delta("b"), finished(4)]
    with HttpConnection(adapter.address, post_bytes("/completion", prompt="Hi", stream=True)) as connection:
        status, headers = connection.head()
        assert (status, headers["content-type"], headers["transfer-encoding"]) == (
            200,
            "text/event-stream; charset=utf-8",
            "chunked",
        )
        chunks = list(connection.chunks())
    assert chunks[:4] == [
        f'data: {{"content":"{text}","multimodal":false,"slot_id":0,"stop":false}}\n\n'.encode()
        for text in ("a", "", "é", "b")
    ]
    assert event_data(chunks[4])["tokens_predicted"] == 4
    assert len(chunks) == 5


def test_every_chat_chunk_is_one_chunk(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: [accepted(), delta("a", "", "b"), finished(3)]
    body = post_bytes("/v1/chat/completions", messages=[{"role": "user", "content": "Hi"}], stream=True)
    with HttpConnection(adapter.address, body) as connection:
        connection.head()
        *events, done = connection.chunks()
    assert done == b"data: [DONE]\n\n"
    assert [event_data(chunk)["choices"][0]["delta"] for chunk in events] == [
        {"role": "assistant"},
        {"content": "a"},
        {"content": "b"},
        {},
    ]


def test_events_are_sent_while_the_generation_goes_on(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: [accepted(), delta("a"), Hold(), delta("b"), finished()]
    with HttpConnection(adapter.address, post_bytes("/completion", stream=True)) as connection:
        connection.head()
        chunks = connection.chunks()
        assert event_data(next(chunks))["content"] == "a"
        core.open(core.wait_for_call())
        assert event_data(next(chunks))["content"] == "b"
        assert event_data(next(chunks))["stop"] is True


def test_a_long_stream_arrives_whole(core: FakeCore, adapter: AdapterThread) -> None:
    texts = [f"{number} " for number in range(5000)]
    core.script = lambda request: whole(*texts)
    with HttpConnection(adapter.address, post_bytes("/completion", stream=True)) as connection:
        connection.head()
        events = [event_data(chunk) for chunk in connection.chunks()]
    assert [event["content"] for event in events] == [*texts, ""]


def test_many_streams_at_once(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: whole(*[request.text + str(number) for number in range(50)])

    def content(name: str) -> str:
        with HttpConnection(adapter.address, post_bytes("/completion", prompt=name, stream=True)) as connection:
            connection.head()
            return "".join(event_data(chunk)["content"] for chunk in connection.chunks())

    names = [f"<{number}>" for number in range(16)]
    with ThreadPoolExecutor(len(names)) as pool:
        assert list(pool.map(content, names)) == ["".join(name + str(n) for n in range(50)) for name in names]


# Errors.


@pytest.mark.parametrize("stream", [True, False])
def test_a_refusal_in_the_queue_is_the_status(core: FakeCore, adapter: AdapterThread, stream: bool) -> None:
    refusal = Refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", retry_after_s=3.0)
    core.script = lambda request: [refusal]
    response = post(adapter, "/completion", stream=stream)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "3")
    assert response.json() == {"error": {"code": 429, "message": "full", "type": "rate_limit_error"}}


def test_a_refused_field_is_named_as_in_json(core: FakeCore, adapter: AdapterThread) -> None:
    violation = ("sampling.repeat_penalty", "is 0; allowed is any finite number above 0")
    core.script = lambda request: [
        Refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", violations=(violation,))
    ]
    response = post(adapter, "/completion", repeat_penalty=0)
    assert response.status_code == 400
    assert response.json()["error"]["message"] == "repeat_penalty: is 0; allowed is any finite number above 0"


def test_a_prompt_that_is_too_long(core: FakeCore, adapter: AdapterThread) -> None:
    facts = {"n_prompt_tokens": "600", "n_ctx": "512"}
    core.script = lambda request: [
        Refuse(grpc.StatusCode.INVALID_ARGUMENT, "CONTEXT_LENGTH_EXCEEDED", "too long", metadata=facts)
    ]
    error = post(adapter, "/completion").json()["error"]
    assert (error["type"], error["n_prompt_tokens"], error["n_ctx"]) == ("exceed_context_size_error", 600, 512)


def test_a_failure_in_the_stream_is_its_last_event(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: [accepted(), delta("a"), Refuse(grpc.StatusCode.INTERNAL, "INTERNAL", "broken")]
    response = post(adapter, "/completion", stream=True)
    assert response.status_code == 200
    assert response.text.split("\n\n")[1:] == [
        'data: {"error":{"code":500,"message":"broken","type":"server_error"}}',
        "",
    ]


@pytest.mark.parametrize("stream", [True, False])
def test_a_call_that_the_core_cancels_is_not_taken_for_a_client_that_left(
    core: FakeCore, adapter: AdapterThread, stream: bool
) -> None:
    core.script = lambda request: [Refuse(grpc.StatusCode.CANCELLED)]
    response = post(adapter, "/completion", prompt=["a", "b"], stream=stream)
    assert response.status_code == 503


def test_a_generation_that_the_server_cut_short_is_not_passed_off_as_whole(
    core: FakeCore, adapter: AdapterThread
) -> None:
    core.script = lambda request: [accepted(), delta("a"), finished(reason=FINISH_REASON_CANCELLED)]
    assert post(adapter, "/completion").status_code == 503


@pytest.mark.parametrize("steps", [[Hold()], [accepted(), Hold()]])
def test_the_time_limit_of_a_request(core: FakeCore, adapter: AdapterThread, steps: Sequence[Step]) -> None:
    core.script = lambda request: steps
    response = post(adapter, "/completion", timeout_s=0.2)
    assert (response.status_code, response.json()["error"]["type"]) == (504, "timeout_error")
    call = core.wait_for_call()
    assert call.cancelled.wait(WAIT_S)
    assert call.deadline_s is not None
    assert call.deadline_s < 1


def test_a_body_that_the_core_cannot_receive(core: FakeCore, adapter: AdapterThread) -> None:
    # The fake core keeps gRPC's default limit of 4 MiB.
    response = post(adapter, "/completion", prompt="x" * 5_000_000)
    assert (response.status_code, response.json()["error"]["type"]) == (413, "invalid_request_error")


# Several prompts.


def test_results_are_in_the_order_of_the_prompts(core: FakeCore, adapter: AdapterThread) -> None:
    def script(request: GenerateRequest) -> list[Step]:
        return [Hold(), *whole("A")] if request.text == "a" else whole("B")

    core.script = script
    with HttpConnection(adapter.address, post_bytes("/completion", prompt=["a", "b"])) as connection:
        calls = [core.wait_for_call(0), core.wait_for_call(1)]
        first, second = sorted(calls, key=lambda call: call.request.text)
        assert second.ended.wait(WAIT_S)
        core.open(first)
        _, _, body = connection.answer()
    assert [result["content"] for result in json.loads(body)["results"]] == ["A", "B"]


@pytest.mark.parametrize("stream", [True, False])
def test_the_first_failure_cancels_the_other_prompts(core: FakeCore, adapter: AdapterThread, stream: bool) -> None:
    def script(request: GenerateRequest) -> list[Step]:
        if request.text == "bad":
            return [Hold(), Refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "bad prompt")]
        return [accepted(), delta("x"), Hold()]

    core.script = script
    body = post_bytes("/completion", prompt=["good", "bad", "fine"], stream=stream)
    with HttpConnection(adapter.address, body) as connection:
        calls = {call.request.text: call for call in (core.wait_for_call(number) for number in range(3))}
        assert calls["good"].holding.wait(WAIT_S)
        assert calls["fine"].holding.wait(WAIT_S)
        core.open(calls["bad"])
        status, _, answer = connection.answer()
    assert status == (200 if stream else 400)
    assert b'"message":"bad prompt"' in answer.split(b"\n\n")[-2 if stream else 0]
    assert calls["good"].cancelled.wait(WAIT_S)
    assert calls["fine"].cancelled.wait(WAIT_S)


def test_one_request_with_many_prompts_does_not_fill_the_queue(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: [Hold(), *whole(request.text)]
    prompts = [str(number) for number in range(FAN_OUT + 8)]
    with HttpConnection(adapter.address, post_bytes("/completion", prompt=prompts)) as connection:
        for number in range(FAN_OUT):
            assert core.wait_for_call(number).holding.wait(WAIT_S)
        assert len(core.calls) == FAN_OUT
        for number in range(len(prompts)):
            core.open(core.wait_for_call(number))
        _, _, body = connection.answer()
    assert [result["content"] for result in json.loads(body)["results"]] == prompts


# A core that comes and goes.


def test_before_the_core_is_there(tmp_path: Path) -> None:
    adapter = AdapterThread(RestConfig(core=f"unix:{tmp_path}/core.sock"))
    try:
        health = requests.get(adapter.url + "/health", timeout=WAIT_S)
        assert (health.status_code, health.text) == (503, '{"status": "loading model"}')
        response = post(adapter, "/completion")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        assert response.json()["error"]["type"] == "unavailable_error"
        assert requests.get(adapter.url + "/", timeout=WAIT_S).status_code == 200
    finally:
        adapter.close()


def test_a_core_that_is_there_and_says_nothing(tmp_path: Path) -> None:
    """As one that was stopped: the kernel takes connections for it, and that is all."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "core.sock"))
        listener.listen()
        adapter = AdapterThread(RestConfig(core=f"unix:{tmp_path}/core.sock"))
        try:
            health = requests.get(adapter.url + "/health", timeout=WAIT_S)
            assert (health.status_code, health.text) == (503, '{"status": "stalled"}')
        finally:
            adapter.close()


def test_a_core_that_dies_and_comes_back(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: [accepted(), delta("a"), Hold()]
    connections = [HttpConnection(adapter.address, post_bytes("/completion", stream=True)) for _ in range(4)]
    try:
        for connection in connections:
            connection.head()
        assert all(core.wait_for_call(number).holding.wait(WAIT_S) for number in range(4))
        core.kill()
        for connection in connections:
            text, error = connection.chunks()
            assert event_data(text)["content"] == "a"
            assert event_data(error)["error"]["type"] == "unavailable_error"
    finally:
        for connection in connections:
            connection.close()
    assert post(adapter, "/completion").status_code == 503
    core.script = lambda request: whole("back")
    core.start()
    wait_until_healthy(adapter)
    assert post(adapter, "/completion").json()["content"] == "back"


# Clients and bodies.


def test_the_openai_client(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: whole("Hel", "lo")
    with openai.OpenAI(base_url=adapter.url + "/v1", api_key="-", max_retries=0) as client:
        asked = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        assert asked.choices[0].message.content == "Hello"
        assert asked.usage is not None
        assert asked.usage.total_tokens == 5
        stream = client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "Hi"}], stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello"
        assert chunks[-1].usage is not None
        assert [model.id for model in client.models.list()] == ["fake-model"]
        core.script = lambda request: [Refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full")]
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
        core.script = lambda request: [accepted(), delta("a"), Refuse(grpc.StatusCode.INTERNAL, "INTERNAL", "broken")]
        with pytest.raises(openai.APIError, match="broken"):
            list(client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True))


def test_a_chunked_request_body(core: FakeCore, adapter: AdapterThread) -> None:
    parts = iter([b'{"prompt":', b'"in pieces"}'])
    response = requests.post(adapter.url + "/completion", data=parts, timeout=WAIT_S)
    assert response.status_code == 200
    assert core.calls[0].request.text == "in pieces"


def test_a_body_that_is_announced_too_large_ends_the_connection(core: FakeCore, tmp_path: Path) -> None:
    adapter = AdapterThread(RestConfig(core=core.address, max_body_bytes=100))
    try:
        with HttpConnection(adapter.address, request_bytes("POST", "/completion", b"x" * 101)) as connection:
            status, headers, body = connection.answer()
            assert (status, headers["connection"]) == (413, "close")
            assert json.loads(body)["error"]["type"] == "invalid_request_error"
            assert connection.is_at_end()
    finally:
        adapter.close()


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/3.0\r\n\r\n",
        b"POST /completion HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /completion HTTP/1.1\r\nContent-Length: many\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(adapter: AdapterThread, data: bytes) -> None:
    with HttpConnection(adapter.address, data) as connection:
        status, headers, body = connection.answer()
        assert (status, headers["connection"]) == (400, "close")
        assert json.loads(body)["error"]["type"] == "invalid_request_error"
        assert connection.is_at_end()


def test_what_is_wrong_with_a_request_is_said(adapter: AdapterThread) -> None:
    with HttpConnection(adapter.address, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200) as connection:
        assert "more than 100 headers" in json.loads(connection.answer()[2])["error"]["message"]


def test_a_request_line_that_is_too_long_is_refused(adapter: AdapterThread) -> None:
    with HttpConnection(adapter.address, b"GET /".ljust(8192, b"a")) as connection:
        status, headers, body = connection.answer()
        assert (status, headers["connection"]) == (414, "close")
        assert json.loads(body)["error"]["message"] == "the request line has 8192 bytes or more; allowed are fewer"
        assert connection.is_at_end()


@pytest.mark.parametrize(
    "data",
    [
        post_bytes("/completion", prompt="x" * 100)[:-50],
        b"POST /tokenize HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nabc",
        b"POST /tokenize HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
    ids=["short", "short chunk", "malformed chunk"],
)
def test_a_body_that_is_not_whole_is_refused(adapter: AdapterThread, data: bytes) -> None:
    with HttpConnection(adapter.address, data) as connection:
        connection.socket.shutdown(socket.SHUT_WR)
        status, _, body = connection.answer()
        assert status == 400
        assert json.loads(body)["error"]["message"].startswith("the body ends before its Content-Length")


@pytest.mark.parametrize(
    "lengths",
    [[b"2", b"40"], [b"+2"], [b"1_0"], [b"-1"], [b"two"]],
    ids=["two", "sign", "underscore", "negative", "word"],
)
def test_an_ambiguous_length_of_the_body_is_refused(adapter: AdapterThread, lengths: list[bytes]) -> None:
    headers = b"".join(b"Content-Length: %b\r\n" % length for length in lengths)
    data = b"POST /tokenize HTTP/1.1\r\n" + headers + b"\r\n{}GET /health HTTP/1.1\r\n\r\n"
    with HttpConnection(adapter.address, data) as connection:
        status, headers_of_answer, body = connection.answer()
        assert status == 400
        assert json.loads(body)["error"]["type"] == "invalid_request_error"
        assert headers_of_answer["connection"] == "close"


def test_a_core_that_hangs_is_not_called_a_slow_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_route, "STATE_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        adapter = AdapterThread(RestConfig(core=f"127.0.0.1:{silent.getsockname()[1]}"))
        try:
            answer = requests.get(adapter.url + "/v1/models", timeout=WAIT_S)
        finally:
            adapter.close()
    assert answer.status_code == 504
    assert answer.json()["error"]["message"] == "the core did not answer within 0.1 s"


def test_a_request_body_with_malformed_chunks_ends_the_connection(adapter: AdapterThread) -> None:
    data = b"POST /completion HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"
    with HttpConnection(adapter.address, data) as connection:
        connection.head()
    assert requests.get(adapter.url + "/health", timeout=WAIT_S).status_code == 200


def test_requests_are_logged(core: FakeCore, adapter: AdapterThread) -> None:
    records: queue.Queue[logging.LogRecord] = queue.Queue()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.put(record)

    handler = Handler()
    logger = logging.getLogger("rest_adapter.http.handler")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        requests.get(adapter.url + "/v1/health", timeout=WAIT_S)
        requests.get(adapter.url + "/health?api_key=sEcret&b", timeout=WAIT_S)
        record = records.get(timeout=WAIT_S)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    fields = {key: vars(record)[key] for key in ("remote_addr", "method", "path", "status")}
    assert record.getMessage() == "request"
    assert "sEcret" not in str(vars(record))
    assert fields == {
        "remote_addr": "127.0.0.1",
        "method": "GET",
        "path": "/health",
        "status": 200,
    }
    assert vars(record)["remote_port"] > 0
    assert isinstance(vars(record)["milliseconds"], float)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /health?key=sEcret HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /nowhere?key=sEcret HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET http://h/health?key=sEcret HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET health?key=sEcret HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /?key=sEcret HTTP/7\r\n\r\n",
        b"GET /sEcret/with\x1b[31mcolours HTTP/1.1\r\n\r\n",
        b"GET http://[h/?key=sEcret HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nAuthorization : Bearer sEcret\r\n\r\n",
        b"GET / HTTP/1.1\r\nAuthorization: Bearer s\x00Ecret\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: sEcret\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: sEcret\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: sEcret\r\n\r\n",
        b"POST /completion HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nsEcret\r\n",
        request_bytes("POST", "/completion", b'{"prompt": "sEcret",'),
        request_bytes("POST", "/completion?q=sEcret", b'{"prompt": ["sEcret", ["sEcret"]]}'),
        request_bytes("POST", "/completion", b'{"temperature": "sEcret"}', "Authorization: Bearer sEcret"),
    ],
)
def test_nothing_of_a_query_a_header_or_a_body_is_logged(
    core: FakeCore, adapter: AdapterThread, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    caplog.set_level("INFO", "rest_adapter")
    with HttpConnection(adapter.address, data) as connection:
        connection.head()
    wait_until("it is logged", lambda: caplog.records != [])
    # A request afterwards is logged when everything about the one before is.
    requests.get(adapter.url + "/props", timeout=WAIT_S)
    wait_until("the next is logged", lambda: any(vars(one).get("path") == "/props" for one in caplog.records))
    logged = [logs.RecordFormatter(logs.json_line).format(record) for record in caplog.records]
    assert not [line for line in logged if "Ecret" in line]


def test_several_addresses_have_one_port_and_one_server(core: FakeCore) -> None:
    adapter = AdapterThread(RestConfig(core=core.address, host="127.0.0.1, 127.0.0.2"))
    try:
        (first, port), (second, same) = adapter.server.addresses
        assert (first, second, same) == ("127.0.0.1", "127.0.0.2", port)
        for host in (first, second):
            assert requests.get(f"http://{host}:{port}/health", timeout=WAIT_S).status_code == 200
    finally:
        adapter.close()
    for host in (first, second):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((host, port))


def test_if_one_of_several_addresses_is_busy_none_is_taken(core: FakeCore, adapter: AdapterThread) -> None:
    host, port = adapter.address
    with pytest.raises(OSError, match="in use"):
        RestServer(RestConfig(host=f"127.0.0.2,{host}", port=port, core=core.address))
    with socket.socket() as free:
        free.bind(("127.0.0.2", port))


def test_a_busy_port_is_an_os_error(core: FakeCore, adapter: AdapterThread) -> None:
    host, port = adapter.address
    with pytest.raises(OSError, match="in use"):
        RestServer(RestConfig(host=host, port=port, core=core.address))
