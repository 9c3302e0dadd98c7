"""Pictures of which a body has only the URL, over a core in memory: those of other servers, and those in files."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from rest_adapter.config import RestConfig
from rest_adapter.core.calls import GET_MODEL, TOKENIZE
from rest_adapter.remote.fetcher import Fetcher, FetchLimits
from slotline.v1.model_pb2 import ImageSupport, Model
from slotline.v1.tokenization_pb2 import TokenizeRequest, TokenizeResponse
from tests.support.file_server import FILE as PNG
from tests.support.file_server import MadeUpNetwork, Response, file_server
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import answer, client_of, error_of
from tests.unit.rest_adapter.messages import MODEL
from tests.unit.rest_adapter.serving.pictured import (
    BLIND,
    CHAT,
    FILE,
    MESSAGES,
    RESPONSES,
    SEEING,
    URL,
    kinds,
    request_to,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flask.testing import FlaskClient

    from slotline.v1.prompt_pb2 import ChatMessage


def fetching_core(model: Model = SEEING) -> MemoryCore:
    return MemoryCore(answer, unary={GET_MODEL.path: told(model), TOKENIZE.path: TokenizeResponse(count=7)})


def urls(*addresses: str) -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in addresses]
    return {"messages": [{"role": "user", "content": [*parts, {"type": "text", "text": "So?"}]}]}


def fetching_client(core: MemoryCore, port: int) -> FlaskClient:
    network = MadeUpNetwork(port, {"e.org": [["93.184.216.34"]], "inside.org": [["10.0.0.1"]]})
    allowed = ("http://e.org", "http://inside.org")
    return client_of(core, RestConfig(image_url_allow=allowed), fetcher=Fetcher(allowed, network=network))


def messages_to(core: MemoryCore, path: str) -> Sequence[ChatMessage]:
    """The conversation that the core got: to answer it, or to count its tokens."""
    if path == CHAT:
        return request_to(core).chat.messages
    asked = core.unary_requests[-1]
    assert isinstance(asked, TokenizeRequest)
    return asked.chat.messages


@pytest.mark.parametrize("path", [CHAT, "/v1/chat/completions/input_tokens"])
def test_pictures_of_listed_servers_are_fetched(path: str) -> None:
    core = fetching_core()
    with file_server(a=Response(), b=Response((b"BM",))) as server:
        body = urls("http://e.org/a", URL, "http://e.org/b")
        assert fetching_client(core, server.port).post(path, json=body).status_code == 200
    assert kinds(messages_to(core, path)[0].content) == [PNG, FILE, b"BM", "So?"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://e.org/none", "was answered with the status 404"),
        ("http://inside.org/a", "has addresses that are not public"),
        ("http://other.org/a", "is at http://other.org, which --image-url-allow does not list"),
        ("http://u:w@e.org/a", "is no http or https URL of a host and a path, without a user"),
    ],
)
def test_pictures_that_cannot_be_had_are_named(url: str, problem: str) -> None:
    core = fetching_core()
    with file_server(a=Response()) as server:
        response = fetching_client(core, server.port).post(CHAT, json=urls("http://e.org/a", url))
    assert response.status_code == 400
    error = error_of(response)
    assert error["param"] == "messages[0].content[1].image_url"
    assert error["message"].startswith(f'messages[0].content[1].image_url: "{url}" ')
    assert problem in error["message"]
    assert core.requests == []


def test_nothing_is_fetched_for_a_model_that_takes_no_pictures() -> None:
    core = fetching_core(BLIND)
    with file_server(a=Response()) as server:
        fetching_client(core, server.port).post(CHAT, json=urls("http://e.org/a"))
        assert server.asked == []
    # The core says why.
    assert kinds(request_to(core).chat.messages[0].content) == [b"", "So?"]


def test_no_more_pictures_are_fetched_than_a_request_may_have() -> None:
    core = fetching_core()
    with file_server(a=Response()) as server:
        response = fetching_client(core, server.port).post(CHAT, json=urls(*["http://e.org/a"] * 17))
        assert server.asked == []
    assert error_of(response)["message"].startswith("messages[0].content[16].image_url: ")
    assert "is one picture too many; a request may have 16" in error_of(response)["message"]


def test_too_many_requests_that_fetch_are_told_to_come_again() -> None:
    allowed = ("http://e.org",)
    with file_server(a=Response()) as server:
        network = MadeUpNetwork(server.port, {"e.org": [["93.184.216.34"]]})
        busy = Fetcher(allowed, network=network, limits=FetchLimits(max_fetching=1, timeout_s=0.05))
        client = client_of(fetching_core(), RestConfig(image_url_allow=allowed), fetcher=busy)
        with closing(busy.fetch(["http://e.org/a"], max_bytes=100)) as files:
            next(files)
            response = client.post(CHAT, json=urls("http://e.org/a"))
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "1"
    assert error_of(response)["message"] == "1 requests fetch pictures, as many as allowed; try again later"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures, beside a file that is not in it."""
    (tmp_path / "secret.png").write_bytes(b"not for clients")
    folder = tmp_path / "media"
    (folder / "in side").mkdir(parents=True)
    (folder / "a.png").write_bytes(FILE)
    (folder / "in side" / "b.png").write_bytes(b"BM")
    (folder / ".hidden.png").write_bytes(b"hidden")
    (folder / "empty.png").write_bytes(b"")
    (folder / "out.png").symlink_to("../secret.png")
    (folder / "within.png").symlink_to("a.png")
    os.mkfifo(folder / "pipe.png")
    return folder


def reading_client(core: MemoryCore, folder: Path) -> FlaskClient:
    return client_of(core, RestConfig(media_path=str(folder)))


@pytest.mark.parametrize("path", [CHAT, "/v1/chat/completions/input_tokens"])
def test_files_of_the_folder_are_read(path: str, folder: Path) -> None:
    core = fetching_core()
    named = ("file://a.png", "FILE:////in%20side//b.png", "file://in side/b.png", URL, "file://within.png")
    assert reading_client(core, folder).post(path, json=urls(*named)).status_code == 200
    assert kinds(messages_to(core, path)[0].content) == [FILE, b"BM", b"BM", FILE, FILE, "So?"]


@pytest.mark.parametrize(
    "name",
    [
        "none.png",
        "in side",
        "a.png/",
        "",
        "/",
        ".hidden.png",
        "out.png",
        "pipe.png",
        "../secret.png",
        "%2e%2e/secret.png",
        "in side/../../secret.png",
        "..%2fsecret.png",
        "a.png%00",
        "x" * 5000,
    ],
)
def test_what_is_no_file_of_the_folder_is_refused_alike(name: str, folder: Path) -> None:
    core = fetching_core()
    response = reading_client(core, folder).post(CHAT, json=urls(f"file://{name}"))
    assert response.status_code == 400
    error = error_of(response)
    assert error["param"] == "messages[0].content[0].image_url"
    assert "is no file that can be read below the directory of --media-path; send the file itself" in error["message"]
    assert str(folder) not in error["message"]
    assert core.requests == []


def test_files_are_refused_by_a_server_without_a_folder() -> None:
    core = fetching_core()
    response = client_of(core).post(CHAT, json=urls("file:///etc/passwd"))
    assert response.status_code == 400
    assert "is a file, and this server was started without --media-path" in error_of(response)["message"]
    assert core.requests == []


@pytest.mark.parametrize(
    ("limits", "named", "problem"),
    [
        ({"max_image_bytes": 20}, ["file://a.png"], "is larger than the 20 bytes allowed"),
        ({"max_request_image_bytes": 30}, ["file://a.png"] * 2, "is larger than the 9 bytes allowed"),
        ({"max_images": 1}, ["file://a.png"] * 2, "is one picture too many; a request may have 1"),
    ],
)
def test_files_have_the_limits_of_pictures(
    limits: dict[str, int], named: list[str], problem: str, folder: Path
) -> None:
    allowed = ImageSupport(max_images=2, max_image_bytes=100, max_request_image_bytes=100)
    for name, limit in limits.items():
        setattr(allowed, name, limit)
    core = fetching_core(Model(name=MODEL, images=allowed))
    error = error_of(reading_client(core, folder).post(CHAT, json=urls(*named)))
    assert problem in error["message"]
    assert error["param"] == f"messages[0].content[{len(named) - 1}].image_url"


def test_files_and_fetched_pictures_share_the_limit_of_a_request(folder: Path) -> None:
    allowed = ("http://e.org",)
    limits = ImageSupport(max_images=2, max_image_bytes=100, max_request_image_bytes=len(FILE) + 1)
    with file_server(a=Response()) as server:
        network = MadeUpNetwork(server.port, {"e.org": [["93.184.216.34"]]})
        config = RestConfig(image_url_allow=allowed, media_path=str(folder))
        core = fetching_core(Model(name=MODEL, images=limits))
        client = client_of(core, config, fetcher=Fetcher(allowed, network=network))
        error = error_of(client.post(CHAT, json=urls("http://e.org/a", "file://a.png")))
    assert error["message"].startswith("messages[0].content[0].image_url: ")
    assert "is larger than the 1 bytes allowed" in error["message"]


def test_no_file_is_read_for_a_model_that_takes_no_pictures(folder: Path) -> None:
    core = fetching_core(BLIND)
    reading_client(core, folder).post(CHAT, json=urls("file://a.png"))
    assert kinds(request_to(core).chat.messages[0].content) == [b"", "So?"]


@pytest.mark.parametrize("path", [RESPONSES, MESSAGES])
def test_other_apis_name_files_too(path: str, folder: Path) -> None:
    picture: dict[str, object] = {"type": "input_image", "image_url": "file://a.png"}
    body: dict[str, object] = {"input": [{"role": "user", "content": [picture]}]}
    if path == MESSAGES:
        picture = {"type": "image", "source": {"type": "url", "url": "file://a.png"}}
        body = {"max_tokens": 1, "messages": [{"role": "user", "content": [picture]}]}
    core = fetching_core()
    reading_client(core, folder).post(path, json=body)
    assert kinds(request_to(core).chat.messages[-1].content) == [FILE]
