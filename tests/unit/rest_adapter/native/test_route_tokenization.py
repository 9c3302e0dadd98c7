"""POST /tokenize and POST /detokenize over a core in memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gevent
import gevent.socket
import pytest

from rest_adapter.core.calls import DETOKENIZE, TOKENIZE, UnaryMethod
from rest_adapter.errors import StreamClosed
from rest_adapter.http.disconnect import SOCKET_KEY
from slotline.v1.tokenization_pb2 import DetokenizeResponse, TokenizeResponse
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import JSON, client_of

if TYPE_CHECKING:
    from google.protobuf.message import Message


def test_tokenize() -> None:
    core = MemoryCore(unary={TOKENIZE.path: TokenizeResponse(ids=[1, 2])})
    response = client_of(core).post("/tokenize", json={"content": "ab"})
    assert (response.data, response.content_type) == (b'{"tokens":[1,2]}', JSON)


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"content":""}'])
def test_tokenizing_nothing_needs_no_core(body: bytes) -> None:
    assert client_of(MemoryCore()).post("/tokenize", data=body).data == b'{"tokens":[]}'


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [(TOKENIZE, "/tokenize", {"content": "ab"}), (DETOKENIZE, "/detokenize", {"tokens": [5]})],
)
def test_a_client_that_leaves_ends_the_work(method: UnaryMethod[Any, Any], path: str, body: dict[str, object]) -> None:
    core = MemoryCore()

    def answer(_: object) -> Message:
        # Nothing but the client's leaving ends this; a test that hangs here has failed.
        while not core.started[0].is_closed:
            gevent.sleep(0)
        raise StreamClosed

    core.answer_with(method, answer)
    ours, theirs = gevent.socket.socketpair()
    with ours:
        theirs.close()
        client_of(core).post(path, json=body, environ_overrides={SOCKET_KEY: ours})
    assert core.started[0].is_closed


def test_detokenize() -> None:
    core = MemoryCore(unary={DETOKENIZE.path: DetokenizeResponse(text="é")})
    response = client_of(core).post("/detokenize", json={"tokens": [5]})
    assert (response.data, response.content_type) == ('{"content":"é"}'.encode(), JSON)


@pytest.mark.parametrize("body", [b"{}", b'{"tokens":[]}'])
def test_detokenizing_nothing_needs_no_core(body: bytes) -> None:
    assert client_of(MemoryCore()).post("/detokenize", data=body).data == b'{"content":""}'


def test_pieces_are_texts_or_bytes_of_what_is_no_text() -> None:
    found = TokenizeResponse(ids=[1, 2, 3], pieces=[b"a", b"\xc3", b"<s>"])
    response = client_of(MemoryCore(unary={TOKENIZE.path: found})).post(
        "/tokenize", json={"content": "ab", "with_pieces": True}
    )
    assert response.content_type == JSON
    assert json.loads(response.data) == {
        "tokens": [{"id": 1, "piece": "a"}, {"id": 2, "piece": [195]}, {"id": 3, "piece": "<s>"}]
    }


def test_many_pieces_are_written_in_parts() -> None:
    found = TokenizeResponse(ids=range(20_000), pieces=[b"x"] * 20_000)
    response = client_of(MemoryCore(unary={TOKENIZE.path: found})).post(
        "/tokenize", json={"content": "x", "with_pieces": True}
    )
    assert [token["id"] for token in json.loads(response.data)["tokens"]] == list(range(20_000))
