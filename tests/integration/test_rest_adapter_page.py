"""The built-in page over the wire, as a browser asks for it: many files over one connection, and wrong paths."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.http_stream import HttpConnection, request_bytes

if TYPE_CHECKING:
    from tests.support.adapter import AdapterThread

GZIP = "Accept-Encoding: gzip, deflate, br, zstd"
MODULE = "/vendor/preact.js"


def test_a_browser_loads_files_over_one_connection(adapter: AdapterThread) -> None:
    with HttpConnection(adapter.address, request_bytes("GET", "/", b"", GZIP)) as connection:
        status, headers, body = connection.answer()
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert headers.pop("date").endswith("GMT")
        assert headers.pop("etag").endswith('-gzip"')
        policy = headers.pop("content-security-policy")
        assert policy.startswith("default-src 'self'; ")
        assert policy.endswith("; form-action 'none'")
        assert headers == {
            "content-type": "text/html; charset=utf-8",
            "content-length": str(len(body)),
            "content-encoding": "gzip",
            "vary": "Accept-Encoding, Origin",
            "accept-ranges": "bytes",
            "cache-control": "no-cache",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "server": "slotline",
        }
        assert b"<title>Slotline</title>" in gzip.decompress(body)
        connection.socket.sendall(request_bytes("GET", MODULE, b"", GZIP))
        status, headers, body = connection.answer()
        assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        connection.socket.sendall(request_bytes("GET", MODULE))
        assert gzip.decompress(body) == connection.answer()[2]


def test_answers_without_a_body_leave_the_connection_usable(adapter: AdapterThread) -> None:
    with HttpConnection(adapter.address, request_bytes("HEAD", MODULE, b"", GZIP)) as connection:
        status, headers = connection.head()
        assert (status, headers["content-encoding"]) == (200, "gzip")
        known = f"If-None-Match: {headers['etag']}"
        connection.socket.sendall(request_bytes("GET", MODULE, b"", GZIP, known))
        status, unchanged = connection.head()
        assert (status, unchanged["etag"]) == (304, headers["etag"])
        assert unchanged.get("content-length", "0") == "0"
        connection.socket.sendall(request_bytes("GET", MODULE, b"", "Range: bytes=0-9", GZIP))
        status, part, body = connection.answer()
        assert (status, len(body)) == (206, 10)
        assert "content-encoding" not in part


@pytest.mark.parametrize(
    "path",
    [
        "/../app.py",
        "/%2e%2e/app.py",
        "/..%2fapp.py",
        "/page/../../app.py",
        "/page/%2e%2e/%2e%2e/app.py",
        "/page/..%2f..%2fapp.py",
        "/page%2f..%2f..%2fapp.py",
        "/%252e%252e/app.py",
        "/..%5capp.py",
        "/page",
        "/page/",
        "/page/ui.js/",
        "/page/ui.js%00",
        "/page/ui.js%00.html",
        "/%c0%ae%c0%ae/app.py",
        "/page/" + "a" * 5000,
    ],
    ids=lambda path: path[:40],
)
def test_nothing_but_files_of_the_page_is_served(adapter: AdapterThread, path: str) -> None:
    with HttpConnection(adapter.address, request_bytes("GET", path)) as connection:
        status, _, body = connection.answer()
    assert (status, json.loads(body)["error"]["type"]) == (404, "not_found_error")
