"""What the terminal client makes of a server's bytes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from slotline.cli.chat.server import ChatServer, ServerError

WAIT_S = 20.0
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"


class OneAnswer:
    """A server that takes one connection, answers it with fixed bytes, and waits for the client to hang up."""

    def __init__(self, listener: socket.socket, answer: bytes, *, hangs_up: bool) -> None:
        self.url = "http://{}:{}".format(*listener.getsockname())
        self.request = b""
        self.is_left = threading.Event()
        self._listener, self._answer, self._hangs_up = listener, answer, hangs_up
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(WAIT_S)
            while not self._is_whole():
                self.request += connection.recv(65536)
            connection.sendall(self._answer)
            if not self._hangs_up and not connection.recv(1):
                self.is_left.set()

    def _is_whole(self) -> bool:
        head, end, body = self.request.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower()[:15] == b"content-length:"), 0)
        return bool(end) and len(body) >= length


Serve = Callable[..., OneAnswer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(WAIT_S)
        started: list[OneAnswer] = []

        def start(answer: bytes, *, hangs_up: bool = True) -> OneAnswer:
            started.append(OneAnswer(listener, answer, hangs_up=hangs_up))
            return started[-1]

        yield start
        for one in started:
            one.close()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _refusal(server: OneAnswer, key: str | None = None) -> ServerError:
    with pytest.raises(ServerError) as caught:
        list(ChatServer(server.url, key).stream({}))
    return caught.value


def test_events_are_read_however_they_are_cut(serve: Serve) -> None:
    events = 'data: {"n": 1, "text": "ä"}\r\n\r\n: ping\n\nevent: x\ndata:{"n":2}\n\ndata: [DONE]\n\n'.encode()
    answer = STREAM_HEAD + b"".join(_chunk(events[i : i + 3]) for i in range(0, len(events), 3)) + b"0\r\n\r\n"
    server = serve(answer)
    assert list(ChatServer(server.url).stream({"a": "ß"})) == [{"n": 1, "text": "ä"}, {"n": 2}]
    head, _, body = server.request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"authorization" not in head.lower()
    assert json.loads(body) == {"a": "ß"}


@pytest.mark.parametrize(("path", "asked"), [("", ""), ("/", ""), ("/v1", ""), ("/v1/", ""), ("/llm", "/llm")])
def test_an_address_may_have_a_path(path: str, asked: str, serve: Serve) -> None:
    server = serve(_answer("200 OK", b'{"data": [{"id": "m.gguf"}]}'))
    assert ChatServer(server.url + path, "secret").model() == "m.gguf"
    assert server.request.startswith(f"GET {asked}/v1/models HTTP/1.1\r\n".encode())
    assert b"\r\nAuthorization: Bearer secret\r\n" in server.request


def test_leaving_an_answer_hangs_up(serve: Serve) -> None:
    server = serve(STREAM_HEAD + _chunk(b'data: {"n": 1}\n\n'), hangs_up=False)
    with closing(ChatServer(server.url).stream({})) as events:
        assert next(events) == {"n": 1}
        assert not server.is_left.is_set()
    assert server.is_left.wait(WAIT_S)


@pytest.mark.parametrize(
    ("key", "message"), [(None, "the server wants an API key"), ("k", "the server does not take this API key")]
)
def test_a_missing_key_is_another_thing_than_a_wrong_one(key: str | None, message: str, serve: Serve) -> None:
    refusal = _refusal(serve(_answer("401 Unauthorized", b'{"error": {"message": "Authorization: ..."}}')), key)
    assert (str(refusal), refusal.status) == (message, 401)


@pytest.mark.parametrize(
    ("answer", "message", "status", "retry_after_s"),
    [
        (
            _answer("429 Too Many", b'{"error": {"code": 429, "message": "2 wait\\n already"}}', "Retry-After: 3"),
            "2 wait already",
            429,
            3,
        ),
        (_answer("429 Too Many", b'{"error": "full"}', "Retry-After: soon"), "full", 429, None),
        (_answer("404 Not Found", b"File Not Found"), "the server answered 404: File Not Found", 404, None),
        (_answer("502 Bad Gateway", b""), "the server answered 502: Bad Gateway", 502, None),
        (_answer("503 Busy", b'{"status": "loading model"}'), '{"status": "loading model"}', 503, None),
        (
            STREAM_HEAD + _chunk(b'data: {"error": {"code": 503, "message": "the core died"}}\n\n'),
            "the core died",
            503,
            None,
        ),
        (STREAM_HEAD + _chunk(b'error: {"message": "slot unavailable"}\n\n'), "slot unavailable", 0, None),
        (STREAM_HEAD + _chunk(b"data: nonsense\n\n"), "the server sent an event that is no JSON object", 0, None),
    ],
)
def test_errors_are_one_line(answer: bytes, message: str, status: int, retry_after_s: int | None, serve: Serve) -> None:
    refusal = _refusal(serve(answer))
    assert (str(refusal), refusal.status, refusal.retry_after_s) == (message, status, retry_after_s)


def test_a_server_that_hangs_up_is_told(serve: Serve) -> None:
    server = serve(b"")
    refusal = _refusal(server)
    assert str(refusal).startswith(f"the connection to {server.url} broke: Remote end closed connection")
    assert refusal.status == 0


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(ServerError) as caught:
            ChatServer(url).model()
    assert str(caught.value) == f"{url} cannot be reached: Connection refused; is the server running?"


def test_a_host_that_cannot_be_a_name_is_told() -> None:
    with pytest.raises(ServerError, match=r"^the connection to http://a\.\.b broke: .*label"):
        ChatServer("http://a..b").model()


@pytest.mark.parametrize(
    ("body", "model"), [(b"{}", "unknown"), (b'{"data": []}', "unknown"), (b'{"data": [{}]}', "unknown")]
)
def test_a_list_of_models_without_any(body: bytes, model: str, serve: Serve) -> None:
    assert ChatServer(serve(_answer("200 OK", body)).url).model() == model


def test_something_else_than_a_server_of_this_api_is_told(serve: Serve) -> None:
    server = serve(_answer("200 OK", b"<html>"))
    with pytest.raises(ServerError, match=r"/v1/models: the answer is no JSON object; is it a llama\.cpp or OpenAI "):
        ChatServer(server.url).model()


@pytest.mark.parametrize(
    ("body", "n_ctx"),
    [(b'{"default_generation_settings": {"n_ctx": 512}}', 512), (b"{}", None), (b'{"n_ctx": 1}', None)],
)
def test_the_context_is_among_the_properties(body: bytes, n_ctx: int | None, serve: Serve) -> None:
    assert ChatServer(serve(_answer("200 OK", body)).url).context_tokens() == n_ctx


@pytest.mark.parametrize(
    "error",
    [
        b'{"code": "context_length_exceeded", "message": "too long", "type": "exceed_context_size_error"}',
        b'{"code": 400, "message": "too long", "type": "exceed_context_size_error"}',
        b'{"code": "context_length_exceeded", "message": "too long", "type": "invalid_request_error"}',
    ],
)
@pytest.mark.parametrize("is_stream", [True, False], ids=["event", "status"])
def test_a_conversation_that_does_not_fit_is_known_by_its_code_or_type(
    error: bytes, is_stream: bool, serve: Serve
) -> None:
    body = b'{"error": ' + error + b"}"
    server = serve(STREAM_HEAD + _chunk(b"data: " + body + b"\n\n") if is_stream else _answer("400 Bad Request", body))
    failure = _refusal(server)
    assert (str(failure), failure.is_too_long) == ("too long", True)
