"""The built-in page: every file of rest_adapter/web, as browsers ask for it."""

from __future__ import annotations

import gzip
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug.routing import Map, Rule

from rest_adapter.apis.routes import ROUTES
from rest_adapter.apis.serving.app_context import RestOfPath
from rest_adapter.app import create_app
from rest_adapter.config import RestConfig
from rest_adapter.files.page import page_files
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import client_of, error_of

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

WEB = Path(create_app.__code__.co_filename).parent / "web"
FILES = sorted(
    path.relative_to(WEB).as_posix()
    for path in WEB.rglob("*")
    if path.is_file() and not any(part.startswith(".") for part in path.relative_to(WEB).parts)
)
# Long enough to be compressed, and its text does not change.
LARGE = "/vendor/preact.js"


def get(path: str, **headers: str) -> TestResponse:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client_of(MemoryCore()).get(path, headers=names)


def test_the_page() -> None:
    response = get("/")
    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert b"<title>Slotline</title>" in response.data
    assert get("/index.html").data == response.data


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_served_at_its_path_to_everybody(name: str) -> None:
    response = client_of(MemoryCore(), RestConfig(api_keys=("k",))).get(f"/{name}")
    assert (response.status_code, response.data) == (200, (WEB / name).read_bytes())


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/page/ui.js", "text/javascript; charset=utf-8"),
        ("/json-schema-to-grammar.mjs", "text/javascript; charset=utf-8"),
        ("/style/base.css", "text/css; charset=utf-8"),
        ("/vendor/LICENSES.txt", "text/plain; charset=utf-8"),
    ],
)
def test_texts_name_their_encoding(path: str, content_type: str) -> None:
    assert get(path).headers["Content-Type"] == content_type


def test_no_file_has_the_path_of_a_route() -> None:
    rules = Map([Rule(path) for route in ROUTES for path in route.paths], converters={"rest": RestOfPath})
    routes = rules.bind("localhost")
    assert routes.test("/models/page/ui.js")
    assert [name for name in FILES if routes.test(f"/{name}")] == []


@pytest.mark.parametrize(
    "path",
    [
        "/page",
        "/page/",
        "/page//ui.js",
        "/page/ui.js/",
        "/page/./ui.js",
        "/page/../page/ui.js",
        "/page/%2e%2e/index.html",
        "/../app.py",
        "/%2e%2e/app.py",
        "/..%2fapp.py",
        "/..%5capp.py",
        "/page%5cui.js",
        "/page/ui.js%00",
        "/page/ui.js%00.txt",
        "/%00",
        "/PAGE/ui.js",
        "/page/ui",
        "/%ff",
        "/page/" + "a" * 5000,
        "/app.py",
        "/nope.js",
    ],
    ids=lambda path: path[:40],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_other_paths_are_not_found(method: str, path: str) -> None:
    response = client_of(MemoryCore()).open(path, method=method)
    assert response.status_code == 404
    if method == "GET":
        assert error_of(response)["message"].endswith("there is no such path")


def test_other_paths_need_a_key() -> None:
    client = client_of(MemoryCore(), RestConfig(api_keys=("k",)))
    assert client.get("/nope.js").status_code == 401
    assert client.post("/page/ui.js").status_code == 401
    assert client.get("/nope.js", headers={"Authorization": "Bearer k"}).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_files_are_only_read(method: str) -> None:
    assert client_of(MemoryCore()).open("/page/ui.js", method=method).status_code == 404


@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.8", "*", "GZIP"])
def test_texts_are_compressed_for_who_takes_it(accepted: str) -> None:
    response = get(LARGE, Accept_Encoding=accepted)
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Vary"] == "Accept-Encoding, Origin"
    assert response.headers["Content-Length"] == str(len(response.data))
    assert gzip.decompress(response.data) == get(LARGE).data
    assert len(response.data) < len(get(LARGE).data) / 2


@pytest.mark.parametrize("accepted", ["", "br", "identity", "gzip;q=0", "*;q=0", "gzip;q=x;;,", "gzip;q=-1"])
def test_texts_are_plain_for_who_does_not(accepted: str) -> None:
    response = get(LARGE, Accept_Encoding=accepted)
    assert (response.status_code, response.data) == (200, (WEB / LARGE[1:]).read_bytes())
    assert "Content-Encoding" not in response.headers
    # Caches must not give this to somebody else, either.
    assert response.headers["Vary"] == "Accept-Encoding, Origin"


def test_what_compression_hardly_makes_smaller_is_left_alone() -> None:
    for path, file in page_files().items():
        assert (file.compressed is None) is (len(file.content) < 1024), path
        if file.compressed is None:
            response = get(path, Accept_Encoding="gzip")
            assert response.data == file.content
            assert response.headers["Vary"] == "Origin"


def test_a_head_has_the_headers_of_the_get() -> None:
    client = client_of(MemoryCore())
    for headers in ({}, {"Accept-Encoding": "gzip"}):
        head, full = client.head(LARGE, headers=headers), client.get(LARGE, headers=headers)
        assert (head.status_code, head.data) == (200, b"")
        assert {**head.headers, "Date": ""} == {**full.headers, "Date": ""}


@pytest.mark.parametrize("path", ["/", LARGE])
@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_a_file_that_the_browser_has_is_not_sent_again(path: str, accepted: str) -> None:
    first = get(path, Accept_Encoding=accepted)
    assert first.headers["Cache-Control"] == "no-cache"
    tag = first.headers["ETag"]
    assert re.fullmatch(r'"[0-9a-f]+(-gzip)?"', tag)
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = get(path, Accept_Encoding=accepted, If_None_Match=known)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
        assert "Content-Type" not in again.headers
    for other in ('"other"', tag[:-2] + '"', "nonsense"):
        again = get(path, Accept_Encoding=accepted, If_None_Match=other)
        assert (again.status_code, again.data) == (200, first.data)


def test_each_encoding_has_a_tag_of_its_own() -> None:
    plain, compressed = get(LARGE), get(LARGE, Accept_Encoding="gzip")
    assert plain.headers["ETag"] != compressed.headers["ETag"]
    tags = {file.tag for file in page_files().values()}
    assert len(tags) == len({file.content for file in page_files().values()})


@pytest.mark.parametrize(
    ("asked", "part"), [("bytes=0-5", slice(0, 6)), ("bytes=6-", slice(6, None)), ("bytes=-7", slice(-7, None))]
)
def test_a_part_of_a_file(asked: str, part: slice) -> None:
    content = (WEB / LARGE[1:]).read_bytes()
    response = get(LARGE, Range=asked, Accept_Encoding="gzip")
    assert (response.status_code, response.data) == (206, content[part])
    assert response.headers["Content-Range"].endswith(f"/{len(content)}")
    assert response.headers["Content-Length"] == str(len(content[part]))


@pytest.mark.parametrize("asked", ["bytes=900000-", "bytes=5-1", "bytes=x", "lines=1-2", "bytes=0-1,4-5", "x"])
def test_a_part_that_there_is_not(asked: str) -> None:
    response = get(LARGE, Range=asked)
    assert response.status_code == 416
    assert error_of(response)["type"] == "invalid_request_error"


def test_a_part_of_another_version_is_the_whole_file() -> None:
    response = get(LARGE, Range="bytes=0-5", If_Range='"other"')
    assert (response.status_code, response.data) == (200, (WEB / LARGE[1:]).read_bytes())


@pytest.mark.parametrize("path", ["/", "/index.html", "/page/ui.js", "/vendor/LICENSES.txt"])
def test_the_page_may_only_use_this_server(path: str) -> None:
    headers = get(path).headers
    rules = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
    assert rules == {
        "default-src": "'self'",
        "img-src": "'self' data: blob:",
        "style-src": "'self'",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_answers_of_routes_have_no_policy() -> None:
    assert "Content-Security-Policy" not in get("/openapi.json").headers


def test_the_page_fits_its_policy() -> None:
    text = (WEB / "index.html").read_text()
    assert re.findall(r"<style|<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=", text) == []
    links = re.findall(r'(?:src|href)="(/[^"]*)"', text)
    assert links
    served = page_files().keys() | {path for route in ROUTES for path in route.paths}
    assert [link for link in links if link not in served] == []


def test_modules_import_what_is_served() -> None:
    imported = [
        (name, found)
        for name in FILES
        if name.endswith((".js", ".mjs"))
        for found in re.findall(r'(?:\bfrom ?|\bimport ?\(?)"([^",\s]+)"', (WEB / name).read_text())
    ]
    assert ("page/ui.js", "../vendor/preact.js") in imported
    served = page_files().keys()
    assert [
        f"{name} imports {found}"
        for name, found in imported
        # A bare name is none that browsers can resolve.
        if not found.startswith((".", "/")) or posixpath.normpath(posixpath.join("/", name, "..", found)) not in served
    ] == []


def test_bodies_of_files_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    response = get(LARGE, Accept_Encoding="gzip")
    assert response.status_code == 200
    assert [record for record in caplog.records if record.msg == "response body"] == []
