"""Generating routes over a core in memory: answers, failures, limits and bodies."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from rest_adapter.config import RestConfig
from rest_adapter.core.calls import GET_MODEL
from rest_adapter.errors import RpcFailure
from slotline.protocol.collecting import COLLECTED_MS
from slotline.v1.model_pb2 import (
    GetModelResponse,
    Model,
)
from tests.support.memory_core import Answer, MemoryCore, Silence
from tests.unit.rest_adapter.clients import JSON, UNREACHABLE, USER, answer, client_of, error_of
from tests.unit.rest_adapter.messages import accepted, delta

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slotline.v1.generation_pb2 import GenerateRequest


def failing(code: StatusCode, reason: str, **facts: Any) -> MemoryCore:
    return MemoryCore(lambda request: [RpcFailure(code, reason, "why", **facts)])


@pytest.mark.parametrize("path", ["/completion", "/completions"])
def test_completion(path: str) -> None:
    core = MemoryCore(answer)
    response = client_of(core).post(path, json={"prompt": "Hi", "n_predict": 2})
    assert (response.status_code, response.content_type) == (200, JSON)
    assert json.loads(response.data)["content"] == "ab"
    assert core.requests[0].text == "Hi"
    assert core.streams[0].is_closed


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
def test_chat(path: str) -> None:
    response = client_of(MemoryCore(answer)).post(path, json={"messages": USER, "model": "m"})
    body = json.loads(response.data)
    assert (response.status_code, response.content_type) == (200, JSON)
    assert body["choices"][0]["message"]["content"] == "ab"
    assert re.fullmatch(r"chatcmpl-[0-9A-Za-z]{32}", body["id"])
    assert body["created"] > 1_700_000_000


def test_a_native_stream() -> None:
    core = MemoryCore(answer)
    response = client_of(core).post("/completion", json={"prompt": "Hi", "stream": True})
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    assert "Content-Length" not in response.headers
    events = response.data.split(b"\n\n")
    assert events[0] == b'data: {"content":"a","multimodal":false,"slot_id":0,"stop":false}'
    assert events[1] == b'data: {"content":"b","multimodal":false,"slot_id":0,"stop":false}'
    assert json.loads(events[2].removeprefix(b"data: "))["stop"] is True
    assert events[3:] == [b""]


@pytest.mark.parametrize(("options", "collected_ms"), [({}, COLLECTED_MS), ({"stream": True}, 0)])
def test_the_core_collects_what_nobody_reads_before_the_end(options: dict[str, Any], collected_ms: int) -> None:
    core = MemoryCore(answer)
    prompts = ["Hi", "Ho"]
    client_of(core).post("/completion", json={"prompt": prompts, **options}).get_data()
    assert [request.output.max_delta_delay_ms for request in core.requests] == [collected_ms] * len(prompts)


@pytest.mark.parametrize(("sse_done", "ends_with_done"), [(True, True), (False, False)])
def test_a_chat_stream_ends_with_done_if_configured(sse_done: bool, ends_with_done: bool) -> None:
    client = client_of(MemoryCore(answer), RestConfig(sse_done=sse_done))
    response = client.post("/v1/chat/completions", json={"messages": USER, "stream": True})
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.data.endswith(b"\n\ndata: [DONE]\n\n") is ends_with_done


def test_all_chunks_of_a_chat_have_one_id_and_one_time() -> None:
    response = client_of(MemoryCore(answer)).post("/chat/completions", json={"messages": USER, "stream": True})
    chunks = [json.loads(line[6:]) for line in response.data.split(b"\n\n") if line.startswith(b"data: {")]
    assert len(chunks) == 4
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("code", "reason", "facts", "status", "kind"),
    [
        (StatusCode.UNAVAILABLE, "MODEL_LOADING", {"retry_after_s": 1.0}, 503, "unavailable_error"),
        (StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", {"retry_after_s": 2.0}, 429, "rate_limit_error"),
        (StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED", {}, 501, "not_supported_error"),
        (StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", {}, 400, "invalid_request_error"),
        (StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", {}, 504, "timeout_error"),
        (StatusCode.INTERNAL, "INTERNAL", {}, 500, "server_error"),
    ],
)
def test_a_failure_before_acceptance_is_the_status(
    stream: bool, code: StatusCode, reason: str, facts: dict[str, float], status: int, kind: str
) -> None:
    core = failing(code, reason, **facts)
    response = client_of(core).post("/completion", json={"prompt": "Hi", "stream": stream})
    assert (response.status_code, error_of(response)["type"]) == (status, kind)
    expected = str(int(facts["retry_after_s"])) if facts else None
    assert response.headers.get("Retry-After") == expected
    assert core.streams[0].is_closed


SEVERAL = {"prompt": ["a", [5, 6]]}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/completion", "/v1/completions"])
@pytest.mark.parametrize(
    ("body", "field", "name"),
    [
        (SEVERAL, "token_ids.ids[1]", "prompt[1][1]"),
        (SEVERAL, "token_ids", "prompt[1]"),
        (SEVERAL, "sampling.top_p", "top_p"),
        ({"prompt": ["a", [5, "b"]]}, "parts.parts[0].token_ids.ids[0]", "prompt[1]"),
        ({"prompt": [["b"], ["b"]]}, "text", "prompt[1]"),
    ],
)
def test_a_refused_prompt_among_several_has_its_place_in_the_body(
    path: str, body: dict[str, object], field: str, name: str, stream: bool
) -> None:
    refusal = RpcFailure(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "why", violations=((field, "is wrong"),))

    def script(request: GenerateRequest) -> Iterable[Answer]:
        return [refusal] if len(core.requests) == 2 and request is core.requests[1] else answer(request)

    core = MemoryCore(script)
    response = client_of(core).post(path, json={**body, "stream": stream})
    last = response.data.removesuffix(b"\n\n").split(b"data: ")[-1]
    assert json.loads(last)["error"]["message"] == f"{name}: is wrong"
    assert response.status_code == (200 if stream else 400)


def test_a_nested_prompt_has_its_place_in_the_body() -> None:
    violations = (("token_ids.ids[1]", "is wrong"),)
    core = MemoryCore(lambda request: [RpcFailure(StatusCode.INVALID_ARGUMENT, "", "why", violations=violations)])
    error = error_of(client_of(core).post("/completion", json={"prompt": [[5, 6]]}))
    assert error["message"] == "prompt[0][1]: is wrong"


def test_a_failure_after_acceptance_is_an_event() -> None:
    core = MemoryCore(lambda request: [accepted(), delta("a"), UNREACHABLE])
    response = client_of(core).post("/completion", json={"prompt": "Hi", "stream": True})
    assert response.status_code == 200
    assert response.data.split(b"\n\n")[1:] == [
        b'data: {"error":{"code":503,"message":"the core cannot be reached","type":"unavailable_error"}}',
        b"",
    ]


def test_a_failure_of_a_whole_answer_is_the_status_even_after_acceptance() -> None:
    core = MemoryCore(lambda request: [accepted(), delta("a"), UNREACHABLE])
    assert client_of(core).post("/completion", json={"prompt": "Hi"}).status_code == 503


@pytest.mark.parametrize("stream", [False, True])
def test_a_core_that_says_nothing_is_a_server_error(stream: bool) -> None:
    response = client_of(MemoryCore()).post("/completion", json={"prompt": "Hi", "stream": stream})
    assert response.status_code == 500
    assert error_of(response)["message"] == "the core ended the stream before the generation was finished"


def test_several_prompts_are_several_calls() -> None:
    core = MemoryCore(answer)
    response = client_of(core).post("/completion", json={"prompt": ["x", "y", "z"]})
    assert [result["prompt"] for result in json.loads(response.data)["results"]] == ["x", "y", "z"]
    assert [request.text for request in core.requests] == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("own_s", "asked_s", "deadline_s"),
    [(None, None, None), (None, 5, 5.0), (3.0, None, 3.0), (3.0, 5, 3.0), (3.0, 2.5, 2.5)],
)
def test_the_shorter_time_limit_counts(own_s: float | None, asked_s: float | None, deadline_s: float | None) -> None:
    core = MemoryCore(answer)
    client_of(core, RestConfig(request_timeout_s=own_s)).post("/completion", json={"timeout_s": asked_s})
    assert core.deadlines_s == [deadline_s]


def test_ids_that_the_model_does_not_have_are_dropped() -> None:
    core = MemoryCore(answer, {GET_MODEL.path: GetModelResponse(model=Model(vocab_size=10))})
    body = {"prompt": ["a", "b"], "logit_bias": [[9, 1], [10, 1]]}
    assert client_of(core).post("/completion", json=body).status_code == 200
    assert [[bias.token_id for bias in request.sampling.logit_bias] for request in core.requests] == [[9], [9]]


def test_the_number_of_generations_is_limited_and_leaves_room_again() -> None:
    core = MemoryCore(answer)
    client = client_of(core, max_generations=1)
    running = client.post("/completion", json={"stream": True}, buffered=False)
    refused = client.post("/completion", json={})
    assert (refused.status_code, error_of(refused)["type"]) == (429, "rate_limit_error")
    assert refused.headers["Retry-After"] == "1"
    running.close()
    assert client.post("/completion", json={}).status_code == 200


def test_closing_an_answer_that_was_never_read_cancels_it() -> None:
    core = MemoryCore(answer)
    response = client_of(core).post("/completion", json={"stream": True}, buffered=False)
    assert not core.streams[0].is_closed
    response.close()
    assert core.streams[0].is_closed


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "image/png"])
def test_the_content_type_of_a_body_does_not_matter(content_type: str | None) -> None:
    core = MemoryCore(answer)
    body = b'{"prompt":"a=b&c"}'
    response = client_of(core).post("/completion", data=body, content_type=content_type)
    assert response.status_code == 200
    assert core.requests[0].text == "a=b&c"


@pytest.mark.parametrize("body", [b"[]", b"5", b'"x"', b"null", b"true", b"{}"])
def test_a_body_without_keys_completes_a_blank(body: bytes) -> None:
    core = MemoryCore(answer)
    assert client_of(core).post("/completion", data=body).status_code == 200
    assert core.requests[0].text == " "


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON: Expecting value at line 1, column 1"),
        (b"{", "the body is not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        (b'{"prompt":NaN}', "the body is not JSON: NaN is not a JSON number"),
        (b'{"prompt":"\xff"}', "the body is not UTF-8: invalid start byte at byte 11"),
        (b"[" * 200_000, "the body is nested too deeply"),
        (
            b'{"prompt":5}',
            "prompt: 5 is not a string, an array of strings and token ids, an object with prompt_string, or an array "
            "of prompts",
        ),
        (b'{"temperature":"hot"}', 'temperature: "hot" is not a finite number'),
        (b'{"n_predict":[1]}', "n_predict: [1] is not an integer from -2147483648 to 2147483647"),
        (b'{"stop":["a",7]}', "stop[1]: 7 is not a string"),
    ],
)
@pytest.mark.parametrize("path", ["/completion", "/completions"])
def test_wrong_bodies(path: str, body: bytes, message: str) -> None:
    core = MemoryCore(answer)
    response = client_of(core).post(path, data=body)
    assert response.status_code == 400
    assert error_of(response) == {"code": 400, "message": message, "type": "invalid_request_error"}
    assert core.requests == []


@pytest.mark.parametrize("path", ["/completion", "/v1/chat/completions", "/tokenize", "/detokenize"])
def test_a_body_that_is_too_large(path: str) -> None:
    client = client_of(MemoryCore(answer), RestConfig(max_body_bytes=100))
    response = client.post(path, data=b'{"prompt":"' + b"x" * 100 + b'"}')
    assert response.status_code == 413
    assert error_of(response)["message"] == f"POST {path}: the body is larger than the 100 bytes allowed"
    assert response.headers["Connection"] == "close"


# Priority -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"), [("/completion", {"prompt": "Hi"}), ("/v1/chat/completions", {"messages": USER, "model": "m"})]
)
@pytest.mark.parametrize(("value", "priority"), [(None, 0), ("0", 0), ("7", 7), ("-100", -100), ("+100", 100)])
def test_the_priority_of_a_header_reaches_the_core(
    path: str, body: dict[str, Any], value: str | None, priority: int
) -> None:
    core = MemoryCore(answer)
    headers = {} if value is None else {"Slotline-Priority": value}
    assert client_of(core).post(path, json=body, headers=headers).status_code == 200
    assert core.priorities == [priority]


@pytest.mark.parametrize("value", ["", "high", "1.5", "101", "-101", "1, 2", "1e1"])
def test_a_header_that_is_no_priority_is_refused(value: str) -> None:
    core = MemoryCore(answer)
    response = client_of(core).post("/completion", json={"prompt": "Hi"}, headers={"Slotline-Priority": value})
    assert response.status_code == 400
    message = error_of(response)["message"]
    assert "header Slotline-Priority" in message
    assert repr(value) in message
    assert "-100 to 100" in message
    assert core.requests == []


@pytest.mark.parametrize(
    ("config", "openai_s", "native_s"),
    [
        (RestConfig(), 15.0, None),
        (RestConfig(sse_ping_s=4.0), 4.0, 4.0),
        (RestConfig(sse_ping_s=0.0), None, None),
    ],
)
def test_which_streams_have_comments(config: RestConfig, openai_s: float | None, native_s: float | None) -> None:
    def script(request: GenerateRequest) -> Iterable[Answer]:
        return [Silence(), *answer(request)]

    for path, ping_s in [("/v1/chat/completions", openai_s), ("/v1/completions", openai_s), ("/completion", native_s)]:
        body = {"messages": USER} if "chat" in path else {"prompt": "Hi"}
        response = client_of(MemoryCore(script), config).post(path, json=body | {"stream": True})
        assert response.data.startswith(b": ping\n\n") is (ping_s is not None)
    assert (config.openai_ping_s, config.native_ping_s) == (openai_s, native_s)


def test_a_whole_answer_has_no_comments() -> None:
    core = MemoryCore(lambda request: [Silence(), *answer(request)])
    response = client_of(core, RestConfig(sse_ping_s=4.0)).post("/completion", json={"prompt": "Hi"})
    assert json.loads(response.data)["content"] == "ab"


def test_a_stream_that_has_comments_is_counted_until_it_is_closed() -> None:
    core = MemoryCore(lambda request: [Silence(), *answer(request)])
    client = client_of(core, RestConfig(sse_ping_s=4.0), max_generations=1)
    body = {"prompt": "Hi", "stream": True}
    response = client.post("/completion", json=body, buffered=False)
    assert next(iter(response.response)) == b": ping\n\n"
    assert client.post("/completion", json=body).status_code == 429
    response.close()
    assert core.streams[0].is_closed
    assert client.post("/completion", json=body).status_code == 200
