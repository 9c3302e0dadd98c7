"""The files of a directory of the users."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rest_adapter.config import RestConfig
from tests.support.memory_core import MemoryCore
from tests.support.open_files import open_files
from tests.unit.rest_adapter.clients import READY, answer, client_of, with_state

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def site(tmp_path: Path) -> Path:
    root = tmp_path / "public"
    (root / "sub").mkdir(parents=True)
    (root / "sub/index.html").write_text("sub page")
    (root / "app.mjs").write_text("export {}")
    (root / "style.css").write_text("body {}")
    (root / "data.xyz").write_text("plain")
    (root / "photo.JPG").write_text("jpeg")
    (root / "health").write_text("a file")
    (tmp_path / "secret.txt").write_text("secret")
    return root


@pytest.mark.parametrize(
    ("path", "content", "content_type"),
    [
        ("/app.mjs", b"export {}", "text/javascript"),
        ("/style.css", b"body {}", "text/css"),
        ("/data.xyz", b"plain", "text/plain"),
        ("/photo.JPG", b"jpeg", "image/jpeg"),
        ("/sub/", b"sub page", "text/html"),
        ("/sub/index.html", b"sub page", "text/html"),
        ("/health", b"a file", "text/plain"),
    ],
)
def test_files_of_the_users_directory(site: Path, path: str, content: bytes, content_type: str) -> None:
    client = client_of(with_state(READY), RestConfig(static_path=str(site)))
    with client.get(path) as response:
        assert (response.status_code, response.data) == (200, content)
        assert response.headers["Content-Type"] == content_type


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/sub/../../secret.txt", "/sub", "/a%00b"])
def test_nothing_outside_the_users_directory(site: Path, path: str) -> None:
    response = client_of(MemoryCore(), RestConfig(static_path=str(site))).get(path)
    assert response.status_code == 404
    assert b"secret" not in response.data.replace(b"secret.txt", b"")


def get_of(site: Path, path: str) -> tuple[int, bytes]:
    """Status and body of a path."""
    with client_of(MemoryCore(), RestConfig(static_path=str(site))).get(path) as response:
        return response.status_code, response.data


@pytest.mark.parametrize(
    "path",
    [
        "/out.txt",
        "/out/secret.txt",
        "/chain.txt",
        "/absolute/etc/passwd",
        "/sub/up/secret.txt",
        "/out/public/../secret.txt",
    ],
)
def test_links_that_lead_out_of_the_directory_are_not_followed(
    site: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    (site / "out.txt").symlink_to(site.parent / "secret.txt")
    (site / "out").symlink_to(site.parent)
    (site / "chain.txt").symlink_to("out.txt")
    (site / "absolute").symlink_to("/")
    (site / "sub/up").symlink_to("../..")
    for _ in range(3):
        assert get_of(site, path)[0] == 404
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == (0 if ".." in path else 1)


@pytest.mark.parametrize("path", ["/in.css", "/inside/index.html", "/inside/"])
def test_links_that_stay_in_the_directory_are_followed(site: Path, path: str) -> None:
    (site / "in.css").symlink_to("style.css")
    (site / "inside").symlink_to(site / "sub")
    assert get_of(site, path) == (200, b"body {}" if path == "/in.css" else b"sub page")


def test_the_directory_itself_may_be_a_link_and_hidden(site: Path) -> None:
    (site.parent / ".current").symlink_to(site)
    assert get_of(site.parent / ".current", "/style.css") == (200, b"body {}")


@pytest.mark.parametrize(
    "path",
    [
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/sub/.hidden",
        "/sub/./index.html",
        "/.well-known/key",
        "/shown.txt",
        "/shown/config",
        "/sub//.hidden",
    ],
)
def test_names_that_begin_with_a_dot_are_not_served(site: Path, path: str) -> None:
    for name in (".env", ".git/config", "sub/.hidden", ".well-known/key"):
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text("private")
    (site / "shown.txt").symlink_to(".env")
    (site / "shown").symlink_to(".git")
    assert get_of(site, path)[0] == 404


@pytest.mark.parametrize(
    "path",
    ["/a\\..\\..\\secret.txt", "/..%5csecret.txt", "/%00", "/style.css%00", "/%ff", "/style.css/", "/" + "a/" * 3000],
)
def test_what_looks_like_a_path_elsewhere_is_none(site: Path, path: str) -> None:
    assert get_of(site, path)[0] == 404


def test_what_is_no_file_does_not_hold_anybody_up(site: Path) -> None:
    os.mkfifo(site / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site / "socket"))
        (site / "link").symlink_to("pipe")
        (site / "loop").symlink_to("loop")
        for path in ("/pipe", "/socket", "/link", "/loop", "/sub"):
            assert get_of(site, path)[0] == 404


def by_link(place: Path) -> None:
    """Let a file be somewhere else, and a link in its place."""
    place.rename(f"{place}.moved")
    place.symlink_to(f"{place}.moved")


def by_link_to_its_folder(place: Path) -> None:
    by_link(place.parent)


def by_pipe(place: Path) -> None:
    place.unlink()
    os.mkfifo(place)


@pytest.mark.parametrize("exchange", [by_link, by_link_to_its_folder, by_pipe, Path.unlink])
def test_a_file_that_is_exchanged_while_it_is_looked_for_is_not_read(
    site: Path, monkeypatch: pytest.MonkeyPatch, exchange: Callable[[Path], None]
) -> None:
    file, real_path = site / "sub/index.html", os.path.realpath

    def swap(path: str) -> str:
        """Find the place, and then somebody is quicker."""
        place = real_path(path)
        if place == str(file):
            exchange(file)
        return place

    monkeypatch.setattr(os.path, "realpath", swap)
    assert get_of(site, "/sub/")[0] == 404


def test_files_are_closed(site: Path) -> None:
    client = client_of(MemoryCore(), RestConfig(static_path=str(site)))
    for headers in ({}, {"Range": "bytes=0-1"}, {"If-None-Match": "*"}):
        client.get("/style.css", headers=headers).close()
        client.head("/style.css", headers=headers).close()
    for path in ("/sub", "/nothing"):
        client.get(path).close()
    assert client.get("/style.css", headers={"Range": "bytes=100-"}).status_code == 416
    assert open_files(site.parent) == []


def test_the_built_in_page_stays_without_an_index_of_the_users(site: Path) -> None:
    client = client_of(MemoryCore(), RestConfig(static_path=str(site)))
    assert b"<title>Slotline</title>" in client.get("/").data
    (site / "index.html").write_text("mine")
    with client.get("/") as response:
        assert response.data == b"mine"


def test_a_file_of_the_users_comes_before_one_of_the_page(site: Path) -> None:
    client = client_of(MemoryCore(), RestConfig(static_path=str(site)))
    (site / "page").mkdir()
    (site / "page/ui.js").write_text("mine")
    with client.get("/page/ui.js", headers={"Accept-Encoding": "gzip"}) as response:
        assert (response.data, response.headers["Content-Type"]) == (b"mine", "text/javascript")
        assert {"Content-Security-Policy", "X-Content-Type-Options", "Content-Encoding"}.isdisjoint(response.headers)
    # Pages of the users import what they do not have themselves.
    assert client.get("/vendor/preact.js").status_code == 200


def test_a_relative_directory_is_relative_to_where_the_server_was_started(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site.parent)
    with client_of(MemoryCore(), RestConfig(static_path="public")).get("/style.css") as response:
        assert response.data == b"body {}"


def test_posts_are_never_files(site: Path) -> None:
    (site / "completion").write_text("a file")
    client = client_of(MemoryCore(answer), RestConfig(static_path=str(site)))
    assert json.loads(client.post("/completion", json={}).data)["content"] == "ab"


def test_the_head_of_a_file(site: Path) -> None:
    with client_of(MemoryCore(), RestConfig(static_path=str(site))).head("/app.mjs") as response:
        assert (response.status_code, response.data) == (200, b"")
        assert response.headers["Content-Length"] == str(len("export {}"))


def test_a_file_that_the_browser_has_is_not_sent_again(site: Path) -> None:
    client = client_of(MemoryCore(), RestConfig(static_path=str(site)))
    with client.get("/app.mjs") as first:
        tag = first.headers["ETag"]
    with client.get("/app.mjs", headers={"If-None-Match": tag}) as again:
        assert (again.status_code, again.data) == (304, b"")


def test_a_name_that_no_file_can_have(site: Path) -> None:
    response = client_of(MemoryCore(), RestConfig(static_path=str(site))).get("/" + "a" * 300)
    assert response.status_code == 404


def test_a_part_of_a_file(site: Path) -> None:
    client = client_of(MemoryCore(), RestConfig(static_path=str(site)))
    with client.get("/app.mjs", headers={"Range": "bytes=0-5"}) as response:
        assert (response.status_code, response.data) == (206, b"export")
