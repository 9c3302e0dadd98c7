"""Servers that pictures may come from: entries of the list, URLs, and addresses that are not public."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.remote.addresses import is_public
from rest_adapter.remote.errors import Unfetchable
from rest_adapter.remote.sources import checked_source, location_of, redirected
from tests.support.properties import untimed


@pytest.mark.parametrize(
    ("entry", "source"),
    [
        ("example.org", "https://example.org"),
        ("Example.ORG.", "https://example.org"),
        ("example.org:443", "https://example.org"),
        ("example.org:8443", "https://example.org:8443"),
        ("https://example.org/", "https://example.org"),
        ("http://example.org", "http://example.org"),
        ("http://example.org:80", "http://example.org"),
        ("http://10.0.0.1:9000", "http://10.0.0.1:9000"),
        ("[2001:0DB8::1]", "https://[2001:db8::1]"),
        ("http://[::1]:80", "http://[::1]"),
        ("my_host-1", "https://my_host-1"),
    ],
)
def test_entries_of_the_list(entry: str, source: str) -> None:
    assert checked_source(entry) == source
    assert checked_source(source) == source


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "*",
        "*.example.org",
        "ftp://example.org",
        "file:///etc",
        "example.org/pictures",
        "user@example.org",
        "user:word@example.org",
        "example.org:0",
        "example.org:65536",
        "example.org:",
        "exa mple.org",
        "exämple.org",
        "-example.org",
        "example..org",
        ".org",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "1.2.3.4.5",
        "[::1",
        "::1",
        "[fe80::1%25eth0]",
        "[127.0.0.1]x",
    ],
)
def test_what_is_no_entry(entry: str) -> None:
    with pytest.raises(ValueError, match="is no server that pictures can come from") as raised:
        checked_source(entry)
    assert "allowed are HOST and HOST:PORT for https" in str(raised.value)


@pytest.mark.parametrize(
    ("url", "server", "target"),
    [
        ("https://example.org", "https://example.org", "/"),
        ("HTTPS://EXAMPLE.org:443/a.png", "https://example.org", "/a.png"),
        ("https://example.org./a.png?b=/c#d", "https://example.org", "/a.png?b=/c"),
        ("http://example.org:8080?x", "http://example.org:8080", "/?x"),
        ("https://example.org/%41/ä?é", "https://example.org", "/%41/%C3%A4?%C3%A9"),
        ("http://[0:0::1]/", "http://[::1]", "/"),
        ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]", "/"),
    ],
)
def test_urls(url: str, server: str, target: str) -> None:
    location = location_of(url)
    # How Python writes an IPv4 address inside an IPv6 address depends on its release.
    assert str(location.source).replace("::ffff:127.0.0.1", "::ffff:7f00:1") == server
    assert location.target == target


@pytest.mark.parametrize(
    "url",
    [
        "https://user@example.org/",
        "https://user:word@example.org/",
        "https://listed.org@example.org/",
        "https://listed.org:443@example.org/",
        "https://example.org\\@listed.org/",
        "https://listed.org\\.example.org/",
        "https:/example.org/",
        "https:example.org",
        "https:///example.org",
        "https://",
        "https://example.org:port/",
        "https://example.org:99999/",
        "https://example.org /a",
        "https://example.org/a b",
        "https://example.org/\r\nHost: inside",
        "https://example.org/\x00",
        "https://exam\tple.org/",
        "https://exämple.org/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://[::1%25lo]/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "ftp://example.org/",
        "https://example.org/" + "a" * 8192,
    ],
)
def test_what_is_no_url_of_a_picture(url: str) -> None:
    with pytest.raises(Unfetchable):
        location_of(url)


@pytest.mark.parametrize(
    ("header", "url"),
    [
        ("/b.png", "https://example.org/b.png"),
        ("c.png?x", "https://example.org/a/c.png?x"),
        ("//other.org/b.png", "https://other.org/b.png"),
        ("http://other.org:81/b.png", "http://other.org:81/b.png"),
    ],
)
def test_redirects(header: str, url: str) -> None:
    assert str(redirected(location_of("https://example.org/a/b.png"), header)) == url


@pytest.mark.parametrize("header", ["file:///etc/passwd", "https://u@other.org/", "//[::1", "gopher://x/", "//127.1/"])
def test_redirects_to_what_is_no_url_of_a_picture(header: str) -> None:
    with pytest.raises(Unfetchable):
        redirected(location_of("https://example.org/a/b.png"), header)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "2a00:1450:4001::1"])
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        # With an IPv4 address in it: as such, mapped, translated, of 6to4 and of Teredo.
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "100::1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@untimed
@given(
    st.text("htps:/\\@.#?[]0x7f1%-_ \t\n\0é", max_size=30),
    st.sampled_from(["", "https://", "http://e.org", "http://["]),
)
def test_what_is_read_as_a_url_is_read_alike_by_others(text: str, before: str) -> None:
    url = before + text
    try:
        source = location_of(url).source
    except Unfetchable:
        return
    # Of what is taken, Python's own reader finds the same parts.
    parts = urlsplit(url)
    assert (parts.scheme, parts.username, parts.password) == (source.scheme, None, None)
    assert (parts.hostname or "").removesuffix(".") in (source.host, str(source.address)) or source.address is not None
    assert parts.port in (source.port, None)
    assert not any(letter in source.host for letter in "@/\\?# ")
