"""What the adapter writes to its sockets, byte by byte: headers, older HTTP, events, answers to several prompts."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING

import grpc
import pytest

from rest_adapter.config import RestConfig
from tests.support.adapter import AdapterThread, post
from tests.support.fake_core import WAIT_S, FakeCore, Refuse, Step, accepted, delta, finished, whole
from tests.support.http_stream import HttpConnection, event_data, post_bytes, request_bytes

if TYPE_CHECKING:
    from slotline.v1.generation_pb2 import GenerateRequest

JSON = "application/json; charset=utf-8"
ORIGIN = "http://localhost:3000"
USER = [{"role": "user", "content": "Hi"}]


def bytes_until_the_end(address: tuple[str, int], data: bytes) -> bytes:
    with socket.create_connection(address, WAIT_S) as connection, connection.makefile("rb") as reader:
        connection.sendall(data)
        return reader.read()


def old_request(method: str, path: str, body: bytes = b"") -> bytes:
    return request_bytes(method, path, body).replace(b"HTTP/1.1", b"HTTP/1.0")


# Headers.


def test_the_headers_of_an_answer(adapter: AdapterThread) -> None:
    request = request_bytes("POST", "/completion", b'{"prompt":"Hi"}', f"Origin: {ORIGIN}")
    with HttpConnection(adapter.address, request) as connection:
        status, headers, body = connection.answer()
    assert status == 200
    assert headers.pop("date").endswith("GMT")
    assert headers == {
        "content-type": JSON,
        "content-length": str(len(body)),
        "server": "slotline",
        "vary": "Origin",
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
    }


@pytest.mark.parametrize(
    "request_data",
    [
        post_bytes("/completion", stream=True),
        post_bytes("/v1/completions", prompt="Hi", stream=True),
        post_bytes("/v1/chat/completions", messages=USER, stream=True),
        post_bytes("/infill", stream=True),
    ],
    ids=["completion", "completions", "chat", "infill"],
)
def test_the_headers_of_a_stream(adapter: AdapterThread, request_data: bytes) -> None:
    with HttpConnection(adapter.address, request_data) as connection:
        status, headers, _ = connection.answer()
    assert status == 200
    assert headers.pop("date").endswith("GMT")
    assert headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "transfer-encoding": "chunked",
        "server": "slotline",
        "vary": "Origin",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
    }


@pytest.mark.parametrize(
    ("target", "methods"),
    [("/completion", "POST"), ("/health", "GET, HEAD"), ("/no/such/path", None), ("*", "GET, HEAD, POST")],
)
def test_the_headers_of_a_preflight(adapter: AdapterThread, target: str, methods: str | None) -> None:
    asked = (f"Origin: {ORIGIN}", "Access-Control-Request-Headers: authorization,x-a")
    with HttpConnection(adapter.address, request_bytes("OPTIONS", target, b"", *asked)) as connection:
        status, headers, body = connection.answer()
    assert (status, body) == (200, b"")
    assert headers.pop("date").endswith("GMT")
    assert headers.pop("access-control-allow-methods", None) == methods
    assert headers.pop("allow", None) == (methods and ", ".join(sorted([*methods.split(", "), "OPTIONS"])))
    assert headers == {
        "content-length": "0",
        "server": "slotline",
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-allow-headers": "authorization,x-a",
        "access-control-max-age": "600",
        "vary": "Access-Control-Request-Headers, Origin",
    }


def test_what_is_not_http_is_told_by_the_same_server(adapter: AdapterThread) -> None:
    with HttpConnection(adapter.address, b"nonsense\r\n\r\n") as connection:
        status, headers, body = connection.answer()
    assert status == 400
    assert headers == {
        "connection": "close",
        "content-type": JSON,
        "content-length": str(len(body)),
        "server": "slotline",
    }


@pytest.mark.parametrize("path", ["/health", "/slots", "/props", "/v1/models", "/"])
def test_the_head_of_each_page_is_that_of_the_page(adapter: AdapterThread, path: str) -> None:
    requests = request_bytes("HEAD", path) + request_bytes("GET", path)
    with HttpConnection(adapter.address, requests) as connection:
        head, page = connection.head(), connection.head()
        assert len(connection.body(page[1])) == int(head[1]["content-length"])
    for _, headers in (head, page):
        del headers["date"]
    assert head == page


# HTTP/1.0.


def test_an_old_client_gets_its_answer_and_the_end_of_the_connection(adapter: AdapterThread) -> None:
    answer = bytes_until_the_end(adapter.address, old_request("POST", "/completion", b"{}"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nTransfer-Encoding" not in head
    assert json.loads(body)["stop"] is True


def test_an_old_client_gets_events_without_chunks(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: whole("a", "é")
    answer = bytes_until_the_end(adapter.address, old_request("POST", "/completion", b'{"stream":true}'))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nTransfer-Encoding" not in head
    events = [event_data(event + b"\n\n") for event in body.removesuffix(b"\n\n").split(b"\n\n")]
    assert [event["content"] for event in events] == ["a", "é", ""]


@pytest.mark.parametrize("words", ["close", "TE, Close", "te,close"])
def test_a_client_may_end_its_connection_among_other_words(adapter: AdapterThread, words: str) -> None:
    with HttpConnection(adapter.address, request_bytes("GET", "/health", b"", f"Connection: {words}")) as connection:
        status, headers, _ = connection.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert connection.is_at_end()


def test_an_old_client_may_keep_its_connection(adapter: AdapterThread) -> None:
    request = b"GET /health HTTP/1.0\r\nConnection: TE, Keep-Alive\r\n\r\n"
    with HttpConnection(adapter.address, request) as connection:
        for _ in range(2):
            status, headers, _ = connection.answer()
            assert (status, headers["connection"]) == (200, "keep-alive")
            connection.socket.sendall(request)


def test_a_stream_for_an_old_client_ends_with_its_connection(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: whole("a")
    data = request_bytes("POST", "/completion", b'{"stream":true}', "Connection: keep-alive")
    answer = bytes_until_the_end(adapter.address, data.replace(b"HTTP/1.1", b"HTTP/1.0"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head
    assert b"keep-alive" not in head
    assert body.endswith(b"\n\n")


# Events.


@pytest.mark.parametrize("sse_done", [True, False])
def test_a_chat_stream_to_the_byte(core: FakeCore, sse_done: bool) -> None:
    core.script = lambda request: [accepted(), delta("Hé", "\n"), finished(2)]
    adapter = AdapterThread(RestConfig(core=core.address, sse_done=sse_done))
    try:
        body = post(adapter, "/v1/chat/completions", messages=USER, model="m", stream=True).content
    finally:
        adapter.close()
    written = re.sub(r'"created":\d+,"id":"chatcmpl-[0-9A-Za-z]{32}"', '"created":0,"id":"I"', body.decode())
    rest = '"index":0}],"created":0,"id":"I","model":"m","object":"chat.completion.chunk"}\n\n'
    assert written == (
        'data: {"choices":[{"delta":{"role":"assistant"},"finish_reason":null,' + rest +
        'data: {"choices":[{"delta":{"content":"Hé"},"finish_reason":null,' + rest +
        'data: {"choices":[{"delta":{"content":"\\n"},"finish_reason":null,' + rest +
        'data: {"choices":[{"delta":{},"finish_reason":"length",' + rest +
        ("data: [DONE]\n\n" if sse_done else "")
    )  # fmt: skip


def test_a_native_stream_never_ends_with_done(adapter: AdapterThread) -> None:
    assert b"[DONE]" not in post(adapter, "/completion", stream=True).content
    assert b"[DONE]" not in post(adapter, "/infill", stream=True).content


# Several prompts.


def test_streams_of_several_prompts_each_have_an_end(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: whole(request.text)
    with HttpConnection(adapter.address, post_bytes("/completion", prompt=["a", "b"], stream=True)) as connection:
        connection.head()
        events = [event_data(chunk) for chunk in connection.chunks()]
    for index, text in enumerate(["a", "b"]):
        mine = [event for event in events if event["index"] == index]
        assert [(event["content"], event["stop"]) for event in mine] == [(text, False), ("", True)]
        assert mine[-1]["prompt"] == text


@pytest.mark.parametrize("path", ["/completion", "/v1/completions"])
def test_a_refused_prompt_among_several_has_its_place_in_the_body(
    core: FakeCore, adapter: AdapterThread, path: str
) -> None:
    refusal = Refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", violations=(("token_ids.ids[1]", "is 9"),))

    def script(request: GenerateRequest) -> list[Step]:
        return [refusal] if request.WhichOneof("prompt") == "token_ids" else whole("x")

    core.script = script
    response = post(adapter, path, prompt=["a", "b", [5, 9]])
    assert (response.status_code, response.json()["error"]["message"]) == (400, "prompt[2][1]: is 9")


def test_echoes_of_token_ids_have_the_order_of_their_prompts(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: whole("!")
    prompts = [[number] for number in range(0x4E00, 0x4E00 + 100)]
    response = post(adapter, "/v1/completions", prompt=prompts, echo=True)
    assert [choice["text"] for choice in response.json()["choices"]] == [chr(number) + "!" for (number,) in prompts]


# Names and pages.


def test_the_host_of_a_whole_url_counts_instead_of_the_header(adapter: AdapterThread) -> None:
    for target, host, expected in (
        ("http://evil.example/health", "localhost", 421),
        ("http://localhost:1/health", "evil.example", 200),
        ("/health", "evil.example", 421),
        ("/health", "LOCALHOST.:80", 200),
    ):
        data = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        with HttpConnection(adapter.address, data) as connection:
            assert connection.answer()[0] == expected


@pytest.mark.parametrize("head", [b"GET /health HTTP/1.0\r\n\r\n", b"GET /health HTTP/1.1\r\nHost:\r\n\r\n"])
def test_who_names_no_host_is_no_browser(adapter: AdapterThread, head: bytes) -> None:
    with HttpConnection(adapter.address, head) as connection:
        assert connection.answer()[0] == 200


def test_a_form_of_a_page_from_elsewhere_does_nothing(core: FakeCore, adapter: AdapterThread) -> None:
    form = ("Origin: http://evil.example", "Content-Type: text/plain", "Sec-Fetch-Site: cross-site")
    with HttpConnection(adapter.address, request_bytes("POST", "/completion", b'{"prompt":"a"}', *form)) as connection:
        status, headers, body = connection.answer()
        assert (status, json.loads(body)["error"]["type"]) == (403, "permission_error")
        assert "access-control-allow-origin" not in headers
    assert core.calls == []
