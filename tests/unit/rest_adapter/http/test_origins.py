"""Which pages may use a server, and under which names it may be asked for."""

from __future__ import annotations

import pytest

from rest_adapter.http.origins import Asked, OriginRules, checked_host, checked_origin, is_loopback

HOST = "127.0.0.1:8080"


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "http://localhost",
        "http://localhost:3000",
        "https://localhost:8443",
        "HTTP://LocalHost",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://127.0.0.2:80",
        "http://[::1]:5173",
        "http://[::1]",
        # No browser sends these; the server of 2024 gave them back.
        "llama.cpp",
        "localhost",
    ],
)
def test_pages_of_this_machine_may_use_a_server_without_keys(origin: str | None) -> None:
    assert OriginRules().allow_origin(Asked(origin, HOST))


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://evil.example:8080",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://evil.example?http://localhost",
        "http://evil.example#localhost",
        "http://localhost@evil.example",
        "http://localhost/",
        "http://localhost, http://evil.example",
        "http://localhost,http://evil.example",
        "http://localhost:123456",
        "http://localhost:",
        "http://",
        "http://[::1",
        "http://[evil]",
        "http://[::2]",
        "http://0x7f000001",
        "http://10.0.0.1",
        "ftp://localhost",
        "file://",
        "file://localhost",
        "chrome-extension://abcdefgh",
        "app://localhost",
        "null",
        "NULL",
        "://",
        "\xe9://\xe9",
    ],
)
@pytest.mark.parametrize("is_local", [True, False])
def test_other_pages_may_not(origin: str, is_local: bool) -> None:
    assert not OriginRules(is_loopback=is_local).allow_origin(Asked(origin, HOST, "127.0.0.1"))
    assert OriginRules(has_keys=True, is_loopback=is_local).allow_origin(Asked(origin, HOST, "127.0.0.1"))
    assert OriginRules(is_loopback=is_local, origins=("*",)).allow_origin(Asked(origin, HOST, "127.0.0.1"))


@pytest.mark.parametrize(
    ("origin", "host", "address"),
    [
        # Where the client found it, at any port.
        ("http://llm.lan:8080", "llm.lan:8080", "192.168.1.5"),
        ("https://LLM.lan", "llm.lan.:8080", "192.168.1.5"),
        ("http://[fd00::5]:3000", "[fd00::5]:8080", ""),
        # By another of its names.
        ("http://192.168.1.5:3000", "llm.lan:8080", "192.168.1.5"),
        ("http://192.168.1.5:3000", "llm.lan:8080", "::ffff:192.168.1.5"),
        ("http://[fd00::5]:3000", None, "fd00::5"),
    ],
)
def test_pages_at_the_own_address_of_the_server_may(origin: str, host: str | None, address: str) -> None:
    rules = OriginRules(is_loopback=False)
    assert rules.allow_origin(Asked(origin, host, address))
    assert not rules.allow_origin(Asked(origin, "other.lan", "192.168.1.6"))


def test_what_the_browser_calls_the_same_origin_may() -> None:
    """Behind a proxy that puts another name into Host."""
    asked = Asked("https://llm.example", HOST, "127.0.0.1", is_same_origin=True)
    assert OriginRules().allow_origin(asked)


@pytest.mark.parametrize(
    ("named", "origin"),
    [
        ("https://app.example", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("https://App.example", "https://app.example:443"),
        ("http://app.example:80", "http://app.example"),
        ("http://app.example:8000", "http://app.example:8000"),
        ("null", "null"),
        ("chrome-extension://abc", "chrome-extension://abc"),
        ("http://[::2]:3", "http://[::2]:3"),
    ],
)
def test_named_origins_may(named: str, origin: str) -> None:
    rules = OriginRules(origins=("https://first.example", checked_origin(named)))
    asked = Asked(origin, HOST)
    assert rules.allow_origin(asked)
    assert rules.allow_credentials(asked)
    assert not rules.allow_origin(Asked("https://other.example", HOST))
    assert not rules.allow_origin(Asked("https://app.example:8443", HOST))


def test_with_keys_localhost_keeps_other_pages_out_unless_they_are_named() -> None:
    rules = OriginRules(has_keys=True, origins=(checked_origin("localhost"), "http://app.example"))
    for origin in ("http://localhost:3000", "http://[::1]", "http://app.example"):
        assert rules.allow_origin(Asked(origin, HOST, "127.0.0.1"))
    for origin in ("http://evil.example", "http://localhost.evil.example", "null"):
        assert not rules.allow_origin(Asked(origin, HOST, "127.0.0.1"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "app.example",
        "https://",
        "https://app.example/",
        "https://app.example/path",
        "https://*.example",
        "https://a:b",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin; allowed are SCHEME://HOST"):
        checked_origin(text)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "localhost",
        "localhost:8080",
        "LOCALHOST",
        "localhost.",
        "Localhost.:80",
        "localhost:",
        "127.0.0.1",
        HOST,
        "127.1:8080",
        "2130706433",
        "10.1.2.3",
        "0.0.0.0:8080",
        "[::1]",
        "[::1]:8080",
        "[fe80::1%25eth0]:8080",
        "my-box",
        "MY-BOX.:8080",
    ],
)
def test_names_of_a_local_server(host: str | None) -> None:
    assert OriginRules(hosts=("my-box",)).allow_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "1.2.3.4.5",
        "localhost:8080:9",
        "localhost:x",
        "localhost/",
        "x@localhost",
        "localhost, evil",
        "[::1",
        "[evil]",
        "::1",
        ".",
        " ",
        "a b",
        "my-box.lan",
        "\xe9",
    ],
)
def test_other_names_are_refused_where_only_this_machine_reaches_a_server_without_keys(host: str) -> None:
    assert not OriginRules(hosts=("my-box",)).allow_host(host)
    assert OriginRules(hosts=("*",)).allow_host(host) is ("/" not in host and host not in NO_NAMES)
    assert OriginRules(has_keys=True).allow_host(host)
    assert OriginRules(is_loopback=False).allow_host(host)


NO_NAMES = {"localhost:8080:9", "localhost:x", "x@localhost", "localhost, evil", "[::1", "::1", " ", "a b"}


@pytest.mark.parametrize("text", ["", "a:80", "http://a", "a/b", "a b", "*.a", "[::1]", "-a", "a..b", "a..", "\xe9"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no name of a host; allowed are names"):
        checked_host(text)


@pytest.mark.parametrize(
    ("text", "name"), [("A.b-c_d.", "a.b-c_d"), ("*", "*"), ("box", "box"), ("10.0.0.1", "10.0.0.1")]
)
def test_names_are_compared_in_one_form(text: str, name: str) -> None:
    assert checked_host(text) == name


@pytest.mark.parametrize(
    ("address", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_loopback_addresses(address: str, is_local: bool) -> None:
    assert is_loopback(address) is is_local
