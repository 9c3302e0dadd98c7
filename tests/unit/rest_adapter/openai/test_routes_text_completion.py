"""POST /v1/completions over a core in memory."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING

import gevent
import pytest
from grpc import StatusCode

from rest_adapter.apis.openai.completions.route import _ECHOES_AT_ONCE
from rest_adapter.config import RestConfig
from rest_adapter.core.calls import DETOKENIZE
from rest_adapter.errors import RpcFailure, StreamClosed
from rest_adapter.http.disconnect import SOCKET_KEY
from slotline.v1.tokenization_pb2 import DetokenizeRequest, DetokenizeResponse
from tests.support.memory_core import Answer, MemoryCore
from tests.unit.rest_adapter.clients import JSON, UNREACHABLE, answer, client_of, error_of
from tests.unit.rest_adapter.messages import accepted, delta

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slotline.v1.generation_pb2 import GenerateRequest

PATH = "/v1/completions"


def events_of(data: bytes) -> list[bytes]:
    return [line.removeprefix(b"data: ") for line in data.split(b"\n\n") if line]


def failing(path: str) -> MemoryCore:
    return MemoryCore(
        lambda request: [
            RpcFailure(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "why", violations=((path, "is wrong"),))
        ]
    )


def test_a_whole_answer() -> None:
    core = MemoryCore(answer)
    response = client_of(core).post(PATH, json={"prompt": "Hi", "model": "m"})
    body = json.loads(response.data)
    assert (response.status_code, response.content_type) == (200, JSON)
    assert body["choices"] == [{"finish_reason": "length", "index": 0, "logprobs": None, "text": "ab"}]
    assert (body["object"], body["model"]) == ("text_completion", "m")
    assert re.fullmatch(r"cmpl-[0-9A-Za-z]{32}", body["id"])
    assert body["created"] > 1_700_000_000
    assert core.streams[0].is_closed


@pytest.mark.parametrize(("sse_done", "end"), [(True, [b"[DONE]"]), (False, [])])
def test_a_stream(sse_done: bool, end: list[bytes]) -> None:
    client = client_of(MemoryCore(answer), RestConfig(sse_done=sse_done))
    response = client.post(PATH, json={"prompt": "Hi", "stream": True})
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    events = events_of(response.data)
    chunks = [json.loads(event) for event in events[:3]]
    assert [chunk["choices"][0]["text"] for chunk in chunks] == ["a", "b", ""]
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    assert events[3:] == end


def test_each_prompt_is_a_call_of_its_own() -> None:
    core = MemoryCore(answer)
    response = client_of(core).post(PATH, json={"prompt": ["x", [5, 6]], "echo": False})
    assert [choice["index"] for choice in json.loads(response.data)["choices"]] == [0, 1]
    assert core.requests[0].text == "x"
    assert list(core.requests[1].token_ids.ids) == [5, 6]
    assert core.unary_requests == []


def test_the_echo_of_token_ids_is_their_text() -> None:
    core = MemoryCore(answer, {DETOKENIZE.path: DetokenizeResponse(text="<s>")})
    response = client_of(core).post(PATH, json={"prompt": ["x", [1]], "echo": True})
    assert [choice["text"] for choice in json.loads(response.data)["choices"]] == ["xab", "<s>ab"]
    assert core.unary_requests == [DetokenizeRequest(ids=[1], skip_special=False)]


def test_an_echo_of_ids_that_do_not_exist_names_the_prompt() -> None:
    refusal = RpcFailure(
        StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "why", violations=(("ids[0]", "9 is not a token"),)
    )
    core = MemoryCore(answer, {DETOKENIZE.path: refusal})
    response = client_of(core).post(PATH, json={"prompt": [9], "echo": True})
    assert response.status_code == 400
    assert error_of(response)["message"] == "prompt[0]: 9 is not a token"
    assert core.requests == []


@pytest.mark.parametrize(
    ("prompt", "name"), [(["x", [1, 9]], "prompt[1][1]"), ([[1, 9]], "prompt[0][1]"), (["x", 9, "y"], "prompt")]
)
def test_an_echo_names_the_prompt_among_several(prompt: object, name: str) -> None:
    refusal = RpcFailure(StatusCode.INVALID_ARGUMENT, "", "why", violations=(("ids[1]", "is not a token"),))
    core = MemoryCore(answer, {DETOKENIZE.path: refusal})
    response = client_of(core).post(PATH, json={"prompt": prompt, "echo": True})
    assert error_of(response)["message"] == f"{name}: is not a token"


def test_all_echoes_are_asked_for_before_one_is_waited_for() -> None:
    def text(request: DetokenizeRequest) -> DetokenizeResponse:
        assert len(core.started) == 3
        return DetokenizeResponse(text=str(request.ids[0]))

    core = MemoryCore(answer, {DETOKENIZE.path: text})
    response = client_of(core).post(PATH, json={"prompt": [[1], "x", [2], [3]], "echo": True})
    assert [choice["text"] for choice in json.loads(response.data)["choices"]] == ["1ab", "xab", "2ab", "3ab"]
    assert all(call.is_closed for call in core.started)


def test_thousands_of_echoes_are_asked_for_a_few_at_a_time() -> None:
    waited: list[int] = []

    def text(request: DetokenizeRequest) -> DetokenizeResponse:
        assert len(core.started) - len(waited) <= _ECHOES_AT_ONCE
        waited.append(request.ids[0])
        return DetokenizeResponse(text=f"<{request.ids[0]}>")

    core = MemoryCore(answer, {DETOKENIZE.path: text})
    prompts = [[number] for number in range(3 * _ECHOES_AT_ONCE + 1)]
    choices = json.loads(client_of(core).post(PATH, json={"prompt": prompts, "echo": True}).data)["choices"]
    assert [choice["text"] for choice in choices] == [f"<{number}>ab" for (number,) in prompts]


def test_echoes_wait_for_their_turn_like_everything_else() -> None:
    statuses: list[int] = []

    def text(request: DetokenizeRequest) -> DetokenizeResponse:
        statuses.append(client.post(PATH, json={"prompt": [2], "echo": True}).status_code)
        return DetokenizeResponse(text="<s>")

    core = MemoryCore(answer, {DETOKENIZE.path: text})
    client = client_of(core, max_generations=1)
    assert client.post(PATH, json={"prompt": [1], "echo": True}).status_code == 200
    # The request in the middle found the only place taken, and asked the core for nothing.
    assert statuses == [429]
    assert core.unary_requests == [DetokenizeRequest(ids=[1], skip_special=False)]


def test_a_client_that_leaves_cancels_its_echoes() -> None:
    ours, theirs = socket.socketpair()

    def text(request: DetokenizeRequest) -> DetokenizeResponse:
        theirs.close()
        for _ in range(10_000):
            if all(call.is_closed for call in core.started):
                raise StreamClosed
            gevent.sleep(0)
        raise AssertionError("nobody has noticed that the client is gone")

    core = MemoryCore(answer, {DETOKENIZE.path: text})
    with ours:
        body = {"prompt": [[1], [2]], "echo": True}
        response = client_of(core).post(PATH, json=body, environ_base={SOCKET_KEY: ours})
    assert response.status_code == 499
    assert len(core.started) == 2
    assert core.requests == []


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "name"), [("output.top_logprobs", "logprobs"), ("infill.suffix", "suffix")])
def test_refusals_of_the_core_name_the_fields_of_this_route(stream: bool, path: str, name: str) -> None:
    response = client_of(failing(path)).post(PATH, json={"prompt": "Hi", "stream": stream})
    assert response.status_code == 400
    assert error_of(response)["message"] == f"{name}: is wrong"


def test_a_prompt_that_does_not_fit_is_refused_with_the_numbers() -> None:
    failure = RpcFailure(
        StatusCode.INVALID_ARGUMENT,
        "CONTEXT_LENGTH_EXCEEDED",
        "too long",
        metadata={"n_prompt_tokens": "600", "n_ctx": "512"},
    )
    error = error_of(client_of(MemoryCore(lambda request: [failure])).post(PATH, json={"prompt": "Hi"}))
    assert (error["type"], error["n_prompt_tokens"], error["n_ctx"]) == ("exceed_context_size_error", 600, 512)


def test_a_failure_after_acceptance_is_an_event_and_nothing_is_done() -> None:
    core = MemoryCore(lambda request: [accepted(), delta("a"), UNREACHABLE])
    response = client_of(core).post(PATH, json={"prompt": "Hi", "stream": True})
    assert response.status_code == 200
    assert events_of(response.data)[1:] == [
        b'{"error":{"code":null,"message":"the core cannot be reached","param":null,"type":"unavailable_error"}}'
    ]


def test_a_failure_of_one_prompt_fails_the_whole_answer() -> None:
    def script(request: GenerateRequest) -> Iterable[Answer]:
        return [accepted(), UNREACHABLE] if request.text == "y" else answer(request)

    core = MemoryCore(script)
    assert client_of(core).post(PATH, json={"prompt": ["x", "y"]}).status_code == 503
    assert core.streams[0].is_closed
