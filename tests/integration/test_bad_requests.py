"""Wrong requests to a whole service over sockets: each is told what is wrong, and none leaves a trace."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest
import requests

from rest_adapter.config import RestConfig
from rest_adapter.http import body as request_body
from service.config import ModelConfig
from tests.support.adapter import AdapterThread
from tests.support.calls import scripted_text
from tests.support.http_stream import HttpConnection
from tests.support.scripted_core import WAIT_S
from tests.support.scripted_service import N_PREDICT, PROMPT, ScriptedService
from tests.support.wrong_bodies import wrong_bodies
from tests.support.wrong_http import wrong_http
from tests.support.wrong_requests import KEY, WrongRequest, http

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.fake_core import FakeCore

WRONG = (*wrong_http(), *wrong_bodies())
GOOD_BODY = json.dumps({"prompt": PROMPT, "n_predict": N_PREDICT, "temperature": 0}).encode()
SMALL = 1000
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedService]:
    """A service with everything switched on, and with a key."""
    config = RestConfig(api_keys=(KEY,), metrics=True)
    model = ModelConfig(path="/models/scripted.gguf", n_ctx=512, n_parallel=2, embedding=True)
    made = ScriptedService(tmp_path_factory.mktemp("service"), config, model=model)
    yield made
    made.close()


@pytest.fixture
def small(core: FakeCore) -> Iterator[AdapterThread]:
    """An adapter that takes small bodies only."""
    made = AdapterThread(RestConfig(core=core.address, max_body_bytes=SMALL))
    yield made
    made.close()


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_a_wrong_request_is_refused_and_the_next_one_answered(service: ScriptedService, wrong: WrongRequest) -> None:
    wrong.check_on(service.adapter.address)
    service.check_answers()
    service.wait_until_idle()


def test_every_wrong_request_is_another_one() -> None:
    assert len({(wrong.data, wrong.is_cut) for wrong in WRONG}) == len(WRONG)


# What is odd, but right.

_AUTHORIZATION = f"Authorization: Bearer {KEY}\r\n".encode()
_PLAIN = b"Content-Length: %d\r\n" % len(GOOD_BODY) + _AUTHORIZATION
_PIECES = b"8;a=b\r\n" + GOOD_BODY[:8] + b"\r\n%X;c\r\n" % len(GOOD_BODY[8:]) + GOOD_BODY[8:] + b"\r\n0\r\n"


@pytest.mark.parametrize(
    "data",
    [
        http("POST", "/completion", b"\xef\xbb\xbf" + GOOD_BODY),
        http("POST", "/completion", GOOD_BODY, "Content-Type: text/plain; charset=utf-16"),
        http("POST", "/completion", GOOD_BODY, "Content-Encoding: identity"),
        http("POST", "/completion", GOOD_BODY, *[f"Content-Length: {len(GOOD_BODY)}"] * 2),
        http("POST", "/completion", GOOD_BODY, f"content-length:{len(GOOD_BODY):020}"),
        http("POST", "/completion", GOOD_BODY, *(f"X-{number}: y" for number in range(97))),
        http("POST", "/completion", GOOD_BODY, "X: " + "y" * 60_000),
        http("POST", "/completion?&=&%zz", GOOD_BODY),
        http("POST", "/%63ompletion", GOOD_BODY),
        http("POST", "http://elsewhere:1/completion?a=b", GOOD_BODY),
        http("POST", "/completion", GOOD_BODY, "Upgrade: websocket", "Connection: Upgrade"),
        http("POST", "/completion", _PIECES + b"\r\n", CHUNKED),
        http("POST", "/completion", _PIECES + b"A: b\r\nC: d\r\n\r\n", "Transfer-Encoding: Chunked"),
        b"POST /completion HTTP/1.0\r\n" + _PLAIN + b"\r\n" + GOOD_BODY,
        b"POST /completion HTTP/1.1\n" + _PLAIN.replace(b"\r", b"") + b"\n" + GOOD_BODY,
        b"\r\n" + http("POST", "/completion", GOOD_BODY),
    ],
    ids=lambda data: str(data[:40]),
)
def test_what_is_odd_but_allowed_is_answered(service: ScriptedService, data: bytes) -> None:
    with HttpConnection(service.adapter.address, data) as connection:
        status, _, body = connection.answer()
    assert status == 200, body
    assert json.loads(body)["content"] == scripted_text(PROMPT.encode(), N_PREDICT)


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"null", b"true", b"{}"])
def test_json_that_is_no_object_has_no_fields(service: ScriptedService, body: bytes) -> None:
    with HttpConnection(service.adapter.address, http("POST", "/tokenize", body)) as connection:
        assert connection.answer()[::2] == (200, b'{"tokens":[]}')


def test_a_client_that_asks_first_is_told_to_go_on(service: ScriptedService) -> None:
    data = http("POST", "/completion", b"", f"Content-Length: {len(GOOD_BODY)}", "Expect: 100-continue")
    with HttpConnection(service.adapter.address, data) as connection:
        assert connection.head() == (100, {})
        connection.socket.sendall(GOOD_BODY)
        assert connection.answer()[0] == 200


# Connections after a wrong request.


def test_right_and_wrong_requests_in_one_pipe_are_answered_in_order(service: ScriptedService) -> None:
    wrong = (http("POST", "/completion", b"{"), http("GET", "/nothing"), http("PUT", "/completion", b"xyz"))
    right = http("POST", "/completion", GOOD_BODY)
    data = b"".join((right, *(one + right for one in wrong)))
    with HttpConnection(service.adapter.address, data) as connection:
        answers = [connection.answer() for _ in range(7)]
    assert [status for status, _, _ in answers] == [200, 400, 200, 404, 200, 405, 200]
    texts = [json.loads(body)["content"] for status, _, body in answers if status == 200]
    assert texts == [scripted_text(PROMPT.encode(), N_PREDICT)] * 4


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        http("POST", "/completion", b"{}", "Content-Length: 1", "Content-Length: 2"),
        http("POST", "/completion", b"{}", "Content-Length: 2", CHUNKED),
        http("POST", "/completion", b"xyz\r\n", CHUNKED),
        http("POST", "/completion", b"2\r\n{}\r\n0\r\nA B: c\r\n\r\n", CHUNKED),
        # No route reads these bodies, but they must be read before the next request.
        http("GET", "/nothing", b"xyz\r\n", CHUNKED),
        http("GET", "/nothing", b"2\r\n{}\r\n0\r\nA B: c\r\n\r\n", CHUNKED),
        http("GET", "/nothing", b"\r\n", CHUNKED),
        http("GET", "/nothing", b"", "Content-Length: 9", "Expect: 100-continue"),
    ],
)
def test_what_follows_a_request_without_a_clear_end_is_not_read(service: ScriptedService, data: bytes) -> None:
    with HttpConnection(service.adapter.address, data + http("POST", "/completion", GOOD_BODY)) as connection:
        assert connection.answer()[0] in (400, 404)
        assert connection.is_at_end()
    service.wait_until_idle()


# Sizes.


@pytest.mark.parametrize("size", [SMALL, SMALL + 1])
@pytest.mark.parametrize("is_chunked", [True, False])
def test_the_size_of_a_body_has_a_bound(small: AdapterThread, size: int, is_chunked: bool) -> None:
    body = b'{"content":""}'.ljust(size)
    data = http("POST", "/tokenize", body)
    if is_chunked:
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:500], body[500:]))
        data = http("POST", "/tokenize", chunks + b"0\r\n\r\n", CHUNKED)
    with HttpConnection(small.address, data) as connection:
        status, _, answer = connection.answer()
        assert status == (200 if size == SMALL else 413)
        if status == 413:
            assert json.loads(answer)["error"]["message"] == (
                "POST /tokenize: the body is larger than the 1000 bytes allowed"
            )
            assert connection.is_at_end()


def test_a_body_without_an_end_is_not_read_for_ever(small: AdapterThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "LINGER_S", 0.05)
    with HttpConnection(small.address, http("POST", "/tokenize", b"", CHUNKED)) as connection:
        chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
        connection.socket.sendall(chunk * 100)
        assert connection.answer()[0] == 413
        with pytest.raises(ConnectionError):
            _send_for_ever(connection, chunk * 100)


def _send_for_ever(connection: HttpConnection, data: bytes) -> None:
    while True:
        connection.socket.sendall(data)


def test_a_body_that_was_announced_too_large_is_not_waited_for(
    small: AdapterThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_body, "LINGER_S", 0.05)
    with HttpConnection(small.address, http("POST", "/tokenize", b"{", "Content-Length: 100000")) as connection:
        assert connection.answer()[0] == 413
        # The adapter waits for a moment only, and not for as long as a socket may be idle.
        assert connection.is_at_end()


# Files.


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/a/../../secret.txt",
        "/a/%2e%2e/%2e%2e/secret.txt",
        "/a//../../secret.txt",
        "/..%5csecret.txt",
        "/%00/../../secret.txt",
        "/index.html%00.txt",
        "/index.html/",
        "/a",
        "/a/",
        "/%ff",
        "/" + "b" * 300,
        "/" + "b/" * 3000,
    ],
    ids=lambda path: path[:40],
)
def test_only_files_of_the_directory_are_served(core: FakeCore, tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "index.html").write_text("page")
    (tmp_path / "secret.txt").write_text("secret")
    adapter = AdapterThread(RestConfig(core=core.address, static_path=str(root)))
    try:
        with HttpConnection(adapter.address, http("GET", path)) as connection:
            status, _, body = connection.answer()
        assert (status, json.loads(body)["error"]["type"]) == (404, "not_found_error")
        assert requests.get(adapter.url + "/index.html", timeout=WAIT_S).text == "page"
    finally:
        adapter.close()


# Nothing at all.


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"P",
        b"POST /completion HTTP/1.1",
        b"POST /completion HTTP/1.1\r\n",
        b"POST /completion HTTP/1.1\r\nContent-Length: 1",
        b"POST /completion HTTP/1.1\r\nContent-Length: 10\r\n",
    ],
)
def test_a_head_that_is_cut_is_no_request(service: ScriptedService, data: bytes) -> None:
    with HttpConnection(service.adapter.address, data) as connection:
        connection.socket.shutdown(socket.SHUT_WR)
        # An answer to half of a request line is allowed; the service of half a request is not.
        rest = connection.socket.recv(12)
        assert rest in (b"", b"HTTP/1.1 400")
    service.check_answers()
