"""Bodies of POST /infill, and the route over a core in memory."""

from __future__ import annotations

import json

import pytest
from grpc import StatusCode

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.native.infill.request import read_infill
from rest_adapter.errors import InvalidRequest, RpcFailure
from slotline.v1.generation_pb2 import OVERFLOW_TRUNCATE
from slotline.v1.prompt_pb2 import InfillFile, InfillRepository, PromptPart, PromptParts
from slotline.v1.tokens_pb2 import TokenIds
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import JSON, answer, client_of, error_of


def text(content: str) -> PromptPart:
    return PromptPart(text=content)


def tokens(*ids: int) -> PromptPart:
    return PromptPart(token_ids=TokenIds(ids=ids))


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (None, []),
        ("", []),
        ([], []),
        ([""], []),
        ("def f(", [text("def f(")]),
        ([1, 2], [tokens(1, 2)]),
        (["a", 1, 2, "b"], [text("a"), tokens(1, 2), text("b")]),
        (["a", "b"], [text("a"), text("b")]),
    ],
)
def test_both_sides_of_the_gap(value: object, parts: list[PromptPart]) -> None:
    (request,) = read_infill({"input_prefix": value, "input_suffix": "end"}).requests
    assert request.infill.prefix == PromptParts(parts=parts)
    assert request.infill.suffix == PromptParts(parts=[text("end")])
    (request,) = read_infill({"input_suffix": value}).requests
    assert request.infill.suffix == PromptParts(parts=parts)


def test_a_body_without_anything_fills_the_gap_between_nothing_and_nothing() -> None:
    (request,) = read_infill({}).requests
    assert request.WhichOneof("prompt") == "infill"
    assert request.overflow == OVERFLOW_TRUNCATE


@pytest.mark.parametrize(
    ("body", "echo"),
    [
        ({}, ""),
        ({"prompt": None}, ""),
        ({"prompt": ""}, ""),
        ({"prompt": "p"}, "p"),
        ({"prompt": ["p", 1]}, ["p", 1]),
        ({"prompt": ["p", "q"]}, ["p", "q"]),
    ],
)
def test_the_prompt_is_repeated_and_not_used(body: dict[str, object], echo: object) -> None:
    core = MemoryCore(answer)
    response = client_of(core).post("/infill", json={"input_prefix": "a", **body})
    assert (response.status_code, response.content_type) == (200, JSON)
    result = json.loads(response.data)
    assert (result["content"], result["prompt"]) == ("ab", echo)
    assert core.requests[0].WhichOneof("prompt") == "infill"


def test_options_of_completions_work() -> None:
    (request,) = read_infill({"n_predict": 5, "stop": ["x"], "n_keep": -1, "system_prompt": "P", "top_k": 3}).requests
    assert (request.stop.max_tokens, list(request.stop.texts), request.n_keep) == (5, ["x"], -1)
    assert (request.system_prompt.prompt, request.sampling.top_k) == ("P", 3)


@pytest.mark.parametrize(
    ("body", "is_stream"),
    [({}, False), ({"stream": False}, False), ({"stream": None}, False), ({"stream": True}, True)],
)
def test_it_streams_only_if_asked_to(body: dict[str, object], is_stream: bool) -> None:
    response = client_of(MemoryCore(answer)).post("/infill", json=body)
    assert response.headers["Content-Type"] == ("text/event-stream; charset=utf-8" if is_stream else JSON)
    if is_stream:
        events = response.data.split(b"\n\n")
        assert events[0] == b'data: {"content":"a","multimodal":false,"slot_id":0,"stop":false}'
        final = json.loads(events[2].removeprefix(b"data: "))
        assert (final["stop"], final["content"], final["prompt"]) == (True, "", "")
        assert events[3:] == [b""]


def failing(failure: RpcFailure) -> MemoryCore:
    return MemoryCore(lambda request: [failure])


def test_a_model_without_infill_tokens_is_not_supported() -> None:
    message = "infill: this model has no fill-in-the-middle tokens"
    response = client_of(failing(RpcFailure(StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED", message))).post(
        "/infill", json={"input_prefix": "a"}
    )
    assert error_of(response) == {"code": 501, "message": message, "type": "not_supported_error"}


@pytest.mark.parametrize("path", ["/infill", "/completion"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_system_prompt_while_slots_are_busy(path: str, stream: bool) -> None:
    message = "system prompt can only be updated when all slots are idle"
    core = failing(RpcFailure(StatusCode.UNAVAILABLE, "SLOTS_BUSY", message, retry_after_s=1.0))
    response = client_of(core).post(path, json={"system_prompt": "P", "stream": stream})
    assert response.headers["Retry-After"] == "1"
    assert error_of(response) == {"code": 503, "message": message, "type": "unavailable_error"}


def test_a_refused_side_is_named_as_in_json() -> None:
    violation = ("infill.suffix.parts[1].token_ids.ids[0]", "99 is not a token of this model")
    failure = RpcFailure(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "x", violations=(violation,))
    response = client_of(failing(failure)).post("/infill", json={"input_suffix": ["a", 99]})
    assert error_of(response)["message"] == "input_suffix: 99 is not a token of this model"


def repository(body: dict[str, object], shape: ApiShape = ApiShape.OF_2024) -> InfillRepository | None:
    infill = read_infill(body, shape=shape).requests[0].infill
    return infill.repository if infill.HasField("repository") else None


@pytest.mark.parametrize("shape", ApiShape)
def test_other_files_stand_in_front(shape: ApiShape) -> None:
    files = [{"filename": "a.py", "text": "A"}, {"text": ""}, {"filename": None, "text": "C"}]
    expected = InfillRepository(files=[InfillFile(name="a.py", text="A"), InfillFile(), InfillFile(text="C")])
    assert repository({"input_extra": files}, shape) == expected


def test_today_a_file_is_one_of_a_repository_even_if_there_is_no_other() -> None:
    assert repository({}) is None
    assert repository({"input_extra": []}) == repository({}, ApiShape.NOW) == InfillRepository()


def test_today_the_prompt_follows_the_prefix_and_names_of_control_tokens_are_text() -> None:
    body = {"input_prefix": "a", "prompt": "b"}
    (today,) = read_infill(body, shape=ApiShape.NOW).requests
    assert today.infill.prefix == PromptParts(parts=[text("a"), text("b")])
    assert (today.HasField("parse_special"), today.parse_special) == (True, False)
    (before,) = read_infill(body).requests
    assert before.infill.prefix == PromptParts(parts=[text("a")])
    (asked,) = read_infill({**body, "parse_special": True}, shape=ApiShape.NOW).requests
    assert asked.parse_special


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x", "input_extra: "),
        ([1], "input_extra[0]: "),
        ([{}], "input_extra[0].text: "),
        ([{"text": "a"}, {"text": 5}], "input_extra[1].text: "),
        ([{"text": "a", "filename": 5}], "input_extra[0].filename: "),
    ],
)
def test_files_that_are_none_are_refused_by_name(value: object, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_infill({"input_extra": value})
    assert str(caught.value).startswith(message)
