"""Fetching pictures: what is asked for, and all that is refused on the way. Servers are threads of this process."""

from __future__ import annotations

import gzip
import threading
from typing import TYPE_CHECKING, Any

import gevent
import pytest

from rest_adapter.remote.errors import TooBusy, Unfetchable
from rest_adapter.remote.fetcher import Fetcher, FetchLimits
from tests.support.file_server import FILE, FileServer, MadeUpNetwork, Response, file_server

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLIC, OTHER_PUBLIC = "93.184.216.34", "2606:2800:220:1::1"
PLENTY = 1 << 30


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server(a=Response()) as started:
        yield started


def fetcher_of(
    server: FileServer, *sources: str, names: dict[str, list[list[str]]] | None = None, **limits: Any
) -> tuple[Fetcher, MadeUpNetwork]:
    network = MadeUpNetwork(server.port, {"e.org": [[PUBLIC]]} if names is None else names)
    return Fetcher(sources or ("http://e.org",), network=network, limits=FetchLimits(**limits)), network


def fetch(fetcher: Fetcher, *urls: str, max_bytes: int = PLENTY) -> list[bytes]:
    return list(fetcher.fetch(urls or ["http://e.org/a"], max_bytes=max_bytes))


def problem_of(fetcher: Fetcher, *urls: str, max_bytes: int = PLENTY) -> str:
    with pytest.raises(Unfetchable) as raised:
        fetch(fetcher, *urls, max_bytes=max_bytes)
    return str(raised.value)


def test_a_file_comes_from_the_address_that_was_checked(server: FileServer) -> None:
    fetcher, network = fetcher_of(server)
    assert fetch(fetcher, "http://e.org/a?b=c#d") == [FILE]
    assert (network.lookups, network.connected) == (["e.org"], [PUBLIC])
    (asked,) = server.asked
    assert asked.path == "/a?b=c"
    # Neither keys nor cookies, and nothing about who asks for whom.
    assert asked.headers == {
        "Host": "e.org",
        "Accept": "image/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "User-Agent": "slotline",
    }


def test_several_files_come_in_their_order(server: FileServer) -> None:
    server.answers["/b"] = Response(body=(b"b1", b"b2"), has_length=False)
    fetcher, _ = fetcher_of(server)
    assert fetch(fetcher, "http://e.org/b", "http://e.org/a", "http://e.org/b") == [b"b1b2", FILE, b"b1b2"]


def test_chunks_are_put_together(server: FileServer) -> None:
    chunks = (b"3\r\nabc\r\n", b"2\r\nde\r\n", b"0\r\n\r\n")
    server.answers["/c"] = Response(chunks, headers={"Transfer-Encoding": "chunked"}, has_length=False)
    fetcher, _ = fetcher_of(server)
    assert fetch(fetcher, "http://e.org/c") == [b"abcde"]


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("http://e.org", "https://e.org/a"),
        ("e.org", "http://e.org/a"),
        ("http://e.org", "http://e.org:81/a"),
        ("http://e.org:81", "http://e.org/a"),
        ("http://e.org", "http://www.e.org/a"),
        ("http://e.org", "http://e.org.evil.org/a"),
        ("http://e.org", "http://evile.org/a"),
        ("http://e.org", f"http://{PUBLIC}/a"),
        ("http://127.0.0.1", "http://127.0.0.2/a"),
        ("http://127.0.0.1", "http://[::ffff:127.0.0.1]/a"),
        ("http://127.0.0.1", "http://localhost/a"),
    ],
)
def test_servers_that_are_not_listed_are_not_asked(server: FileServer, source: str, url: str) -> None:
    fetcher, network = fetcher_of(server, source)
    assert "which --image-url-allow does not list" in problem_of(fetcher, url)
    assert (network.lookups, network.connected, server.asked) == ([], [], [])


@pytest.mark.parametrize(
    "url",
    ["http://u@e.org/a", "http://e.org\\@x/a", "http://2130706433/a", "http://e.org/a b", "file:///etc/passwd"],
)
def test_urls_that_can_be_read_in_two_ways_are_refused(server: FileServer, url: str) -> None:
    fetcher, network = fetcher_of(server)
    problem_of(fetcher, url)
    assert (network.lookups, server.asked) == ([], [])


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["fd00::1"],
        # One of several is enough.
        [PUBLIC, "192.168.0.1"],
        ["192.168.0.1", PUBLIC],
        [],
    ],
)
def test_names_with_addresses_inside_are_refused(server: FileServer, addresses: list[str]) -> None:
    fetcher, network = fetcher_of(server, names={"e.org": [addresses]})
    assert "has addresses that are not public" in problem_of(fetcher)
    assert (network.connected, server.asked) == ([], [])


def test_a_name_that_changes_its_addresses_is_connected_to_where_it_was_checked(server: FileServer) -> None:
    fetcher, network = fetcher_of(server, names={"e.org": [[PUBLIC], ["127.0.0.1"]]})
    assert fetch(fetcher) == [FILE]
    assert (network.lookups, network.connected) == (["e.org"], [PUBLIC])
    # The next picture is checked anew.
    assert "not public" in problem_of(fetcher)
    assert network.connected == [PUBLIC]


def test_a_private_address_is_allowed_if_it_is_listed_as_it_is(server: FileServer) -> None:
    fetcher, network = fetcher_of(server, "http://127.0.0.1:81", "http://[::1]")
    assert fetch(fetcher, "http://127.0.0.1:81/a", "http://[0:0::1]/a") == [FILE, FILE]
    assert (network.lookups, network.connected) == ([], ["127.0.0.1", "::1"])
    assert [asked.headers["Host"] for asked in server.asked] == ["127.0.0.1:81", "[::1]"]


def test_other_addresses_are_tried_if_one_refuses(server: FileServer) -> None:
    fetcher, network = fetcher_of(server, names={"e.org": [[OTHER_PUBLIC, PUBLIC]]})
    network.refusing.add(OTHER_PUBLIC)
    assert fetch(fetcher) == [FILE]
    assert network.connected == [OTHER_PUBLIC, PUBLIC]
    network.refusing.add(PUBLIC)
    assert problem_of(fetcher) == "is at a server that refuses connections"


def test_other_addresses_are_tried_if_one_does_not_answer(server: FileServer) -> None:
    fetcher, network = fetcher_of(server, names={"e.org": [[OTHER_PUBLIC, PUBLIC]]}, timeout_s=2.0)
    network.silent.add(OTHER_PUBLIC)
    assert fetch(fetcher) == [FILE]
    assert network.connected == [OTHER_PUBLIC, PUBLIC]


def test_a_name_without_addresses(server: FileServer) -> None:
    fetcher, _ = fetcher_of(server, names={})
    assert problem_of(fetcher) == "is at a host that has no address"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: FileServer, status: int) -> None:
    server.answers["/r"] = Response(status=status, headers={"Location": "http://f.org/a"}, body=(b"",))
    names = {"e.org": [[PUBLIC]], "f.org": [[OTHER_PUBLIC]]}
    fetcher, network = fetcher_of(server, "http://e.org", "http://f.org", names=names)
    assert fetch(fetcher, "http://e.org/r") == [FILE]
    assert network.connected == [PUBLIC, OTHER_PUBLIC]


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("http://f.org/a", "is at http://f.org, which --image-url-allow does not list"),
        ("https://e.org/a", "is at https://e.org, which --image-url-allow does not list"),
        ("http://127.0.0.1/a", "is at http://127.0.0.1, which --image-url-allow does not list"),
        ("http://169.254.169.254/latest/meta-data", "does not list"),
        ("http://[::1]/a", "is at http://[::1], which --image-url-allow does not list"),
        ("http://inside.org/a", "is at inside.org, which has addresses that are not public"),
        ("http://u:w@e.org/a", "is no http or https URL of a host and a path, without a user"),
        ("file:///etc/passwd", "is no http or https URL"),
        ("http://[x", "is redirected to what is no URL"),
        ("/r", "is redirected more than 3 times"),
        ("", "is redirected more than 3 times"),
    ],
)
def test_redirects_are_checked_like_the_first_url(server: FileServer, location: str, problem: str) -> None:
    server.answers["/r"] = Response(status=302, headers={"Location": location}, body=(b"",))
    names = {"e.org": [[PUBLIC]], "inside.org": [["10.0.0.1"]]}
    fetcher, network = fetcher_of(server, "http://e.org", "http://inside.org", names=names)
    assert problem in problem_of(fetcher, "http://e.org/r")
    assert set(network.connected) == {PUBLIC}


def test_three_redirects_and_no_more(server: FileServer) -> None:
    for number in range(4):
        answer = Response(status=302, headers={"Location": f"/{number + 1}" if number < 3 else "/a"}, body=(b"",))
        server.answers[f"/{number}"] = answer
    fetcher, _ = fetcher_of(server)
    assert fetch(fetcher, "http://e.org/1") == [FILE]
    assert problem_of(fetcher, "http://e.org/0") == "is redirected more than 3 times"


@pytest.mark.parametrize("status", [201, 204, 304, 401, 403, 404, 500])
def test_other_answers_are_no_pictures(server: FileServer, status: int) -> None:
    server.answers["/s"] = Response(status=status, body=(b"",))
    fetcher, _ = fetcher_of(server)
    assert problem_of(fetcher, "http://e.org/s") == f"was answered with the status {status}"


def test_compressed_answers_are_not_unpacked(server: FileServer) -> None:
    packed = gzip.compress(bytes(1 << 20))
    server.answers["/z"] = Response((packed,), headers={"Content-Encoding": "gzip"})
    fetcher, _ = fetcher_of(server)
    assert problem_of(fetcher, "http://e.org/z") == "comes compressed, although it was asked for as it is"


@pytest.mark.parametrize("has_length", [True, False])
def test_a_file_may_have_as_many_bytes_as_allowed(server: FileServer, has_length: bool) -> None:
    server.answers["/b"] = Response((bytes(500), bytes(500)), has_length=has_length)
    for limit, most in ((1000, PLENTY), (PLENTY, 1000)):
        fetcher, _ = fetcher_of(server, max_bytes=limit)
        assert fetch(fetcher, "http://e.org/b", max_bytes=most) == [bytes(1000)]
    for limit, most in ((999, PLENTY), (PLENTY, 999)):
        fetcher, _ = fetcher_of(server, max_bytes=limit)
        assert problem_of(fetcher, "http://e.org/b", max_bytes=most) == "is larger than the 999 bytes allowed"
    # All of a request together.
    fetcher, _ = fetcher_of(server)
    assert (
        problem_of(fetcher, "http://e.org/b", "http://e.org/b", max_bytes=1500)
        == "is larger than the 500 bytes allowed"
    )


def test_an_endless_answer_is_given_up_once_it_is_too_large(server: FileServer) -> None:
    pieces = [bytes(1 << 16)] * 1000
    server.answers["/e"] = Response(pieces, has_length=False)
    fetcher, _ = fetcher_of(server, max_bytes=1 << 18)
    assert problem_of(fetcher, "http://e.org/e") == f"is larger than the {1 << 18} bytes allowed"


def test_a_file_that_breaks_off_is_none(server: FileServer) -> None:
    server.answers["/b"] = Response((b"abc",), headers={"Content-Length": "10"})
    server.answers["/c"] = Response((b"5\r\nabc",), headers={"Transfer-Encoding": "chunked"}, has_length=False)
    fetcher, _ = fetcher_of(server)
    assert problem_of(fetcher, "http://e.org/b") == "broke off"
    assert problem_of(fetcher, "http://e.org/c") == "is at a server whose answer is no HTTP, or breaks off"


@pytest.mark.parametrize("place", ["body", "lookup"])
def test_what_does_not_come_in_time_is_given_up(server: FileServer, place: str) -> None:
    gate = threading.Event()
    server.answers["/slow"] = Response((b"a", b"b"), gate=gate)
    fetcher, network = fetcher_of(server, timeout_s=0.2)
    if place == "lookup":
        network.silent.add("e.org")
    assert problem_of(fetcher, "http://e.org/slow") == (
        "did not come within the 0.2 s that all pictures of a request have"
    )


def test_the_time_is_that_of_all_pictures_of_a_request(server: FileServer) -> None:
    gate = threading.Event()
    server.answers["/slow"] = Response((b"a", b"b"), gate=gate)
    fetcher, _ = fetcher_of(server, timeout_s=0.3)
    files = fetcher.fetch(["http://e.org/a", "http://e.org/slow"], max_bytes=PLENTY)
    assert next(files) == FILE
    with pytest.raises(Unfetchable, match=r"within the 0\.3 s"):
        next(files)


def test_others_are_served_while_a_file_is_waited_for(server: FileServer) -> None:
    gate = threading.Event()
    server.answers["/slow"] = Response((b"a", b"b"), gate=gate)
    fetcher, _ = fetcher_of(server, timeout_s=20.0)
    slow = gevent.spawn(fetch, fetcher, "http://e.org/slow")
    assert fetch(fetcher) == [FILE]
    assert not slow.dead
    gate.set()
    assert slow.get() == [b"ab"]


def test_no_more_requests_fetch_than_allowed(server: FileServer) -> None:
    gate = threading.Event()
    server.answers["/slow"] = Response((b"a", b"b"), gate=gate)
    fetcher, _ = fetcher_of(server, max_fetching=1, timeout_s=0.5)
    files = fetcher.fetch(["http://e.org/a", "http://e.org/a"], max_bytes=PLENTY)
    assert next(files) == FILE
    with pytest.raises(TooBusy) as raised:
        fetch(fetcher)
    assert raised.value.limit == 1
    # A request that ends early gives its place back.
    files.close()
    assert fetch(fetcher) == [FILE]
