"""Fetching pictures over TLS: certificates are checked against the name in the URL, whatever the address."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from gevent import ssl as gevent_ssl

from rest_adapter.remote.errors import Unfetchable
from rest_adapter.remote.fetcher import Fetcher
from tests.support.certificates import Authority
from tests.support.file_server import FILE, FileServer, MadeUpNetwork, Response, file_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PUBLIC = "93.184.216.34"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Iterator[FileServer]:
    pair = authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    with file_server(context, a=Response()) as started:
        yield started


def fetch(server: FileServer, url: str, trusted: Authority | None) -> bytes:
    context = None
    if trusted is not None:
        context = gevent_ssl.SSLContext(gevent_ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(trusted.ca)
    network = MadeUpNetwork(server.port, {"localhost": [[PUBLIC]], "e.org": [[PUBLIC]]}, context)
    fetcher = Fetcher(["localhost", "e.org", "127.0.0.1", "127.0.0.2"], network=network)
    (data,) = fetcher.fetch([url], max_bytes=1000)
    return data


@pytest.mark.parametrize("url", ["https://localhost/a", "https://127.0.0.1/a"])
def test_a_certificate_of_the_name_is_right(server: FileServer, authority: Authority, url: str) -> None:
    assert fetch(server, url, authority) == FILE


@pytest.mark.parametrize("url", ["https://e.org/a", "https://127.0.0.2/a"])
def test_a_certificate_of_another_name_is_not(server: FileServer, authority: Authority, url: str) -> None:
    with pytest.raises(Unfetchable, match=r"whose certificate is not trusted: .*mismatch"):
        fetch(server, url, authority)
    assert server.asked == []


def test_authorities_that_nobody_trusts_are_not_trusted(server: FileServer, tmp_path: Path) -> None:
    for trusted in (None, Authority(tmp_path, "stranger")):
        with pytest.raises(Unfetchable, match="whose certificate is not trusted"):
            fetch(server, "https://localhost/a", trusted)
    assert server.asked == []


def test_a_server_without_tls_is_not_asked_by_https() -> None:
    with file_server(a=Response()) as plain:
        with pytest.raises(Unfetchable, match="does not speak TLS as it should"):
            fetch(plain, "https://localhost/a", None)
        assert plain.asked == []
