"""Pictures over REST through real sockets: a service on the scripted model, with an encoder that tests can hold."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from rest_adapter.config import RestConfig
from service.config import ModelConfig
from service.errors import ImageWorkerLost, QueueFull
from tests.support.adapter import WAIT_S, post
from tests.support.fake_encoder import BAD, N_TOKENS, FakeEncoder
from tests.support.file_server import FILE, FileServer, Response, file_server
from tests.support.http_stream import HttpConnection, post_bytes
from tests.support.scripted_service import ScriptedService
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = ModelConfig(path="/models/scripted.gguf", n_ctx=512, n_parallel=2)


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def service(tmp_path: Path, encoder: FakeEncoder) -> Iterator[ScriptedService]:
    made = ScriptedService(tmp_path, RestConfig(), encoder=encoder, model=MODEL)
    yield made
    encoder.release()
    made.close()


@pytest.fixture
def files() -> Iterator[FileServer]:
    with file_server(a=Response(), bad=Response((BAD,))) as started:
        yield started


@pytest.fixture
def fetching(tmp_path: Path, encoder: FakeEncoder, files: FileServer) -> Iterator[ScriptedService]:
    """A service that may fetch pictures from this machine."""
    config = RestConfig(image_url_allow=(f"http://127.0.0.1:{files.port}",))
    made = ScriptedService(tmp_path, config, encoder=encoder, model=MODEL)
    yield made
    made.close()


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def completion(data: bytes, **more: object) -> dict[str, Any]:
    return {"prompt": "See[img-0]", "image_data": [{"data": in_base64(data)}], "n_predict": 4, **more}


def conversation(url: str) -> dict[str, Any]:
    part = {"type": "image_url", "image_url": {"url": url}}
    return {"messages": [{"role": "user", "content": ["Look", part]}], "max_tokens": 4}


def test_a_picture_is_encoded_and_counted(service: ScriptedService, encoder: FakeEncoder) -> None:
    answer = post(service.adapter, "/completion", **completion(b"red"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["tokens_evaluated"] == len("See") + N_TOKENS
    assert encoder.files == [[b"red"]]


@pytest.mark.parametrize("separator", ["/", "\\/"])
def test_pictures_as_large_as_a_request_may_have_get_through(
    service: ScriptedService, encoder: FakeEncoder, separator: str
) -> None:
    # In base64 nothing but slashes, which some clients write as escapes.
    pictures = [b"\xff" * (15 << 20), b"\xff" * (16 << 20)]
    if separator != "/":
        pictures = [b"\xff" * (3 << 20)]
    entries = ",".join(f'{{"data":"{in_base64(data).replace("/", separator)}"}}' for data in pictures)
    markers = "".join(f"[img-{number}]" for number in range(len(pictures)))
    body = f'{{"prompt":"{markers}","n_predict":1,"image_data":[{entries}]}}'
    answer = requests.post(service.adapter.url + "/completion", data=body, timeout=WAIT_S * 3)
    assert answer.status_code == 200, answer.text
    assert encoder.files == [pictures]


def test_texts_are_answered_while_a_picture_is_encoded(service: ScriptedService, encoder: FakeEncoder) -> None:
    encoder.hold()
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(post, service.adapter, "/completion", **completion(b"red"))
        assert encoder.waiting.wait(WAIT_S)
        service.check_answers()
        assert not seen.done()
        encoder.release()
        assert seen.result().status_code == 200


def test_nobody_encodes_for_a_client_that_has_gone(service: ScriptedService, encoder: FakeEncoder) -> None:
    encoder.hold()
    with HttpConnection(service.adapter.address, post_bytes("/completion", **completion(b"red"))):
        assert encoder.waiting.wait(WAIT_S)
    wait_until("the encoder has stopped", lambda: encoder.n_stopped == 1)
    encoder.release()
    service.wait_until_idle()
    service.check_answers()


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (QueueFull(32, 3.0, "pictures"), 429, "rate_limit_error"),
        (ImageWorkerLost("the process that encodes pictures was lost"), 503, "unavailable_error"),
    ],
)
def test_a_client_is_told_to_come_again(
    service: ScriptedService, encoder: FakeEncoder, error: Exception, status: int, kind: str
) -> None:
    def fail() -> None:
        raise error

    encoder.fail = fail
    answer = post(service.adapter, "/completion", **completion(b"red"))
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
    assert int(answer.headers["Retry-After"]) >= 1
    service.check_answers()


def test_a_picture_is_fetched_from_a_listed_server(
    fetching: ScriptedService, encoder: FakeEncoder, files: FileServer
) -> None:
    address = f"http://127.0.0.1:{files.port}"
    answer = post(fetching.adapter, "/v1/chat/completions", **conversation(f"{address}/a?x=1"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["prompt_tokens_details"]["image_tokens"] == N_TOKENS
    assert encoder.files == [[FILE]]
    assert [asked.path for asked in files.asked] == ["/a?x=1"]
    for url, problem in (
        (f"{address}/none", "was answered with the status 404"),
        (f"{address}/bad", "is no picture"),
        (f"http://localhost:{files.port}/a", "which --image-url-allow does not list"),
        (f"{address.replace('127.0.0.1', '127.1')}/a", "neither a name nor an address in its usual form"),
    ):
        error = post(fetching.adapter, "/v1/chat/completions", **conversation(url)).json()["error"]
        assert error["param"] == "messages[0].content[1].image_url"
        assert problem in error["message"]


def test_others_are_answered_while_a_picture_is_fetched(fetching: ScriptedService, files: FileServer) -> None:
    gate = threading.Event()
    files.answers["/slow"] = Response((FILE[:4], FILE[4:]), gate=gate)
    body = conversation(f"http://127.0.0.1:{files.port}/slow")
    with ThreadPoolExecutor(1) as pool:
        seen = pool.submit(post, fetching.adapter, "/v1/chat/completions", **body)
        wait_until("the picture was asked for", lambda: len(files.asked) == 1)
        fetching.check_answers()
        gate.set()
        assert seen.result().status_code == 200


def test_pictures_are_not_fetched_from_anywhere_by_default(service: ScriptedService, files: FileServer) -> None:
    answer = post(service.adapter, "/v1/chat/completions", **conversation(f"http://127.0.0.1:{files.port}/a"))
    assert answer.status_code == 400
    assert "this one fetches no pictures; send the file itself" in answer.json()["error"]["message"]
    assert files.asked == []
