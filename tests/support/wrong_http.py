"""Requests that are wrong before their body is looked at: methods, paths, keys, headers, lengths, chunks."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from rest_adapter.config import RestConfig
from tests.support.wrong_bodies import GOOD
from tests.support.wrong_requests import INVALID, KEY, NOT_HTTP, WrongRequest, http

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = "allowed is METHOD PATH HTTP/1.1"
_CUT = "the body ends before its Content-Length or its last chunk, or is not chunked correctly"
_GET_ROUTES = ("/", "/health", "/v1/health", "/slots", "/props", "/metrics", "/v1/models", "/models")
_BODY = b'{"prompt":"Hello","n_predict":2}'
_MAX_BODY = RestConfig().max_body_bytes
_TOO_LARGE = f"POST /completion: the body is larger than the {_MAX_BODY} bytes allowed"
_AUTHORIZATION = f"Authorization: Bearer {KEY}\r\n".encode()


def wrong_http() -> Iterator[WrongRequest]:
    """All of them. The servers need ``KEY`` as a key."""
    yield from _methods()
    yield from _paths()
    yield from _keys()
    yield from _request_lines()
    yield from _headers()
    yield from _lengths()
    yield from _chunks()


def _methods() -> Iterator[WrongRequest]:
    for path in GOOD:
        for method in ("GET", "PUT", "DELETE"):
            words = (f"{method} {path}: this path takes OPTIONS, POST",)
            yield WrongRequest(f"{method} {path}", http(method, path), 405, INVALID, words)
    for path in _GET_ROUTES:
        takes = "GET, HEAD, OPTIONS" + (", POST" if path == "/props" else "")
        for method in ("PUT", "PATCH"):
            words = (f"{method} {path}: this path takes {takes}",)
            yield WrongRequest(f"{method} {path}", http(method, path, b"{}"), 405, INVALID, words)
    for method in ("BREW", "TRACE", "M-SEARCH"):
        words = (f"{method} /completion: this path takes OPTIONS, POST",)
        yield WrongRequest(f"method {method}", http(method, "/completion"), 405, INVALID, words)


def _paths() -> Iterator[WrongRequest]:
    for path in (
        "/nothing",
        "/completion/",
        "/v1//completions",
        "/Completion",
        "/v1",
        "/v2/completions",
        "/..",
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/..%5c..%5cetc",
        "/%00",
        "/%ff%fe",
        "/%zz",
        "/health%0d%0aX:y",
        "/\xe9",
        "/" + "a" * 5000,
        "/a" * 2000,
        "/index.html;x=y",
        "/.git/config",
    ):
        yield WrongRequest(f"GET {path[:40]!r}", http("GET", path), 404, "not_found_error", ("there is no such path",))
    words = ("POST /nothing: there is no such path",)
    yield WrongRequest("POST /nothing", http("POST", "/nothing", b"{"), 404, "not_found_error", words)
    words = ("the body is not JSON",)
    for query in ("?", "?&=&&", "?a=%zz&%ff", "?" + "a&" * 3000, "?a=%00", "?\xff=\xfe"):
        yield WrongRequest(f"query {query[:20]!r}", http("POST", "/completion" + query, b"{"), 400, INVALID, words)


def _keys() -> Iterator[WrongRequest]:
    forms = {
        "none": (),
        "empty": ("Authorization:",),
        "scheme only": ("Authorization: Bearer",),
        "other": ("Authorization: Bearer sk-other",),
        "beginning": (f"Authorization: Bearer {KEY[:-1]}",),
        "longer": (f"Authorization: Bearer {KEY}x",),
        "upper case": (f"Authorization: Bearer {KEY.upper()}",),
        "no scheme": (f"Authorization: {KEY}",),
        "Basic": ("Authorization: Basic c2stOng=",),
        "twice": (f"Authorization: Bearer {KEY}", f"Authorization: Bearer {KEY}"),
        "Latin-1": ("Authorization: Bearer \xff\xfe",),
        "long": ("Authorization: Bearer " + "k" * 20_000,),
        "other header": (f"Api-Key: {KEY}",),
        "other key in the other header": ("X-Api-Key: sk-other",),
        "underscore": (f"Authorization_: Bearer {KEY}",),
    }
    words = ("Authorization", "Bearer KEY")
    for name, headers in forms.items():
        data = http("POST", "/completion", _BODY, *headers, key=None)
        yield WrongRequest(f"key: {name}", data, 401, "authentication_error", words)
    for path in GOOD:
        data = http("POST", path, b"{", key=None)
        yield WrongRequest(f"no key: {path}", data, 401, "authentication_error", words)
    for path in ("/slots", "/props", "/metrics", "/nothing"):
        data = http("GET", path, key=None)
        yield WrongRequest(f"no key: {path}", data, 401, "authentication_error", words)
    in_query = http("POST", f"/completion?api_key={KEY}", _BODY, key=None)
    yield WrongRequest("key in the query", in_query, 401, "authentication_error", words)


def _request_lines() -> Iterator[WrongRequest]:
    words: tuple[str, ...]
    lines = {
        "garbage": b"nonsense",
        "blank": b"   ",
        "binary": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "nulls": b"\0" * 30,
        "HTTP/0.9": b"GET /health",
        "HTTP/0.9 with a version": b"GET /health HTTP/0.9",
        "HTTP/2": b"PRI * HTTP/2.0",
        "HTTP/1.2": b"GET /health HTTP/1.2",
        "HTTP/11": b"GET /health HTTP/11",
        "HTTP/1": b"GET /health HTTP/1",
        "HTTP/x.y": b"GET /health HTTP/x.y",
        "HTTP/-1.1": b"GET /health HTTP/-1.1",
        "http/1.1": b"GET /health http/1.1",
        "four words": b"GET /health HTTP/1.1 please",
        "blank in the path": b"GET /he alth HTTP/1.1",
        "two blanks": b"GET  /health HTTP/1.1",
        "tab": b"GET\t/health\tHTTP/1.1",
        "blank at first": b" GET /health HTTP/1.1",
        "lower-case method": b"get /health HTTP/1.1",
        "mixed-case method": b"Post /completion HTTP/1.1",
        "numbered method": b"GET1 /health HTTP/1.1",
        "control character": b"GET /hea\x01lth HTTP/1.1",
        "no method": b"/health HTTP/1.1",
        "long method": b"A" * 5000 + b" /health HTTP/1.1",
    }
    for name, line in lines.items():
        data = line + b"\r\nHost: localhost\r\n\r\n"
        yield WrongRequest(f"request line: {name}", data, 400, INVALID, (NOT_HTTP, _LINE))
    targets = {b"health": "health", b"*": "*", b"ftp://a/health": "ftp://a/health", b"test:80": "test:80"}
    for target, shown in targets.items():
        data = b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        words = (f"the request target is '{shown}'", "allowed is a path that begins with /")
        yield WrongRequest(f"target {shown}", data, 400, INVALID, words)
    data = b"GET http://[::1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield WrongRequest("URL without sense", data, 400, INVALID, (NOT_HTTP, "Invalid IPv6 URL"))
    data = b"GET http://localhost/nothing?a HTTP/1.1\r\nHost: localhost\r\n" + _AUTHORIZATION + b"\r\n"
    yield WrongRequest("URL of nothing", data, 404, "not_found_error", ("GET /nothing: there is no such path",))
    data = b"GET /" + b"a" * 8187
    words = ("the request line has 8192 bytes or more; allowed are fewer",)
    yield WrongRequest("long request line", data, 414, INVALID, words)


def _headers() -> Iterator[WrongRequest]:
    words: tuple[str, ...]
    fields = {
        "no colon": b"Nonsense",
        "no name": b": value",
        "blank before the colon": b"Content-Length : 5",
        "blank in the name": b"A B: c",
        "folded": b"A: b\r\n c",
        "null": b"A: b\0c",
        "bare carriage return": b"A: b\rContent-Length: 5",
        "control character": b"A: \x01",
        "name in quotes": b'"A": b',
        "name in UTF-8": "É: b".encode(),
    }
    for name, field in fields.items():
        data = b"POST /completion HTTP/1.1\r\nHost: localhost\r\n" + field + b"\r\n\r\n"
        words = (NOT_HTTP, "allowed is NAME: VALUE on one line")
        yield WrongRequest(f"header: {name}", data, 400, INVALID, words)
    two_hosts = b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
    yield WrongRequest("two hosts", two_hosts, 400, INVALID, ("Host is 'a, b'; allowed is one",))
    many = b"GET /health HTTP/1.1\r\n" + b"A: b\r\n" * 101
    yield WrongRequest("101 headers", many + b"\r\n", 431, INVALID, ("more than 100 headers",))
    words = ("the headers have more than 65536 bytes",)
    long = b"GET /health HTTP/1.1\r\nA: " + b"b" * 70_000 + b"\r\n\r\n"
    yield WrongRequest("long header", long, 431, INVALID, words)
    long = b"GET /health HTTP/1.1\r\n" + (b"A: " + b"b" * 1000 + b"\r\n") * 70 + b"\r\n"
    yield WrongRequest("long headers", long, 431, INVALID, words)
    for coding in ("gzip", "br", "deflate, gzip", "x"):
        data = http("POST", "/completion", gzip.compress(_BODY, mtime=0), f"Content-Encoding: {coding}")
        words = (f'Content-Encoding: "{coding}" is not supported; send the body uncompressed',)
        yield WrongRequest(f"coding {coding}", data, 415, INVALID, words)


def _lengths() -> Iterator[WrongRequest]:
    words: tuple[str, ...]
    for name, lengths, shown in (
        ("two", ["2", "40"], "2, 40"),
        ("list", ["2, 2"], "2, 2"),
        ("sign", ["+2"], "+2"),
        ("underscore", ["1_0"], "1_0"),
        ("negative", ["-1"], "-1"),
        ("word", ["two"], "two"),
        ("float", ["2.0"], "2.0"),
        ("hexadecimal", ["0x2"], "0x2"),
        ("empty", [""], ""),
        ("other digits", ["\xb2"], "\xb2"),
    ):
        data = http("POST", "/completion", b"{}", *(f"Content-Length: {length}" for length in lengths))
        words = (NOT_HTTP, f"Content-Length is {shown!r}; allowed is one whole number")
        yield WrongRequest(f"length: {name}", data, 400, INVALID, words)
    for path in GOOD:
        data = http("POST", path, b'{"prompt":', "Content-Length: 100")
        yield WrongRequest(f"{path} half a body", data, 400, INVALID, (_CUT,), is_cut=True)
    too_short = http("POST", "/completion", b'{"prompt":"Hello"}', "Content-Length: 10")
    yield WrongRequest("length too small", too_short, 400, INVALID, ("the body is not JSON",))
    for length in (_MAX_BODY + 1, 10**15, 10**29):
        data = http("POST", "/completion", b"{}", f"Content-Length: {length}")
        yield WrongRequest(f"length {length}", data, 413, INVALID, (_TOO_LARGE,), is_cut=True)
    data = http("POST", "/completion", b"{}", "Content-Length: " + "1" * 5000)
    yield WrongRequest("length of 5000 digits", data, 400, INVALID, ("allowed is one whole number",))
    no_length = b"POST /completion HTTP/1.1\r\nHost: localhost\r\n" + _AUTHORIZATION + b"\r\n"
    yield WrongRequest("no length", no_length, 400, INVALID, ("the body is not JSON",))
    expecting = http("POST", "/completion", b"", "Content-Length: 100000000", "Expect: 100-continue")
    yield WrongRequest("expecting to go on", expecting, 413, INVALID, (_TOO_LARGE,))


def _chunks() -> Iterator[WrongRequest]:
    for name, body in {
        "word": b"xyz\r\n",
        "no size": b"\r\n{}\r\n0\r\n\r\n",
        "negative": b"-2\r\n{}\r\n0\r\n\r\n",
        "prefix": b"0x2\r\n{}\r\n0\r\n\r\n",
        "17 digits": b"00000000000000002\r\n{}\r\n0\r\n\r\n",
        "no line end": b"2{}0\r\n\r\n",
        "line feed only": b"2\n{}\n0\n\n",
        "longer than its size": b"2\r\n{}}\r\n0\r\n\r\n",
        "long extension": b"2;" + b"a" * 9000 + b"\r\n{}\r\n0\r\n\r\n",
        "bad trailer": b"2\r\n{}\r\n0\r\nA B: c\r\n\r\n",
    }.items():
        data = http("POST", "/completion", body, "Transfer-Encoding: chunked")
        yield WrongRequest(f"chunk: {name}", data, 400, INVALID, (_CUT,))
    for name, body in {
        "cut": b"20\r\n{",
        "without an end": b"2\r\n{}\r\n",
        "cut size": b"2",
        "cut trailer": b"2\r\n{}\r\n0\r\n",
        "largest size": b"ffffffffffffffff\r\n{}",
    }.items():
        data = http("POST", "/completion", body, "Transfer-Encoding: chunked")
        yield WrongRequest(f"chunk: {name}", data, 400, INVALID, (_CUT,), is_cut=True)
    good = b"20\r\n" + _BODY + b"\r\n0\r\n\r\n"
    for name, headers, words in (
        ("gzip", ("Transfer-Encoding: gzip, chunked",), "'gzip, chunked'; allowed is chunked"),
        ("identity", ("Transfer-Encoding: identity",), "'identity'; allowed is chunked"),
        ("twice", ("Transfer-Encoding: chunked",) * 2, "'chunked, chunked'; allowed is chunked"),
        ("hidden", ("Transfer-Encoding: \x0bchunked",), "allowed is NAME: VALUE"),
        ("length", ("Transfer-Encoding: chunked", "Content-Length: 2"), "allowed is one of them"),
        ("length first", ("Content-Length: 44", "Transfer-Encoding: chunked"), "allowed is one of them"),
    ):
        data = http("POST", "/completion", good, *headers)
        yield WrongRequest(f"transfer coding: {name}", data, 400, INVALID, (NOT_HTTP, words))
