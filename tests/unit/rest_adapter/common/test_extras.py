"""What bodies may ask for beside their answers, on every route that generates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from rest_adapter.apis.anthropic.messages.request import read_messages
from rest_adapter.apis.common.extras import Extras, read_extras
from rest_adapter.apis.native.completion.request import read_completion
from rest_adapter.apis.native.infill.request import read_infill
from rest_adapter.apis.openai.chat.request import read_chat
from rest_adapter.apis.openai.completions.request import read_text_completion
from rest_adapter.apis.openai.responses.request import read_response
from rest_adapter.errors import InvalidRequest
from slotline.v1.generation_pb2 import GenerateRequest
from tests.unit.rest_adapter.clients import USER

Reader = Callable[[Mapping[str, object]], Any]
READERS: tuple[Reader, ...] = (
    read_completion,
    read_infill,
    read_text_completion,
    lambda body: read_chat({"messages": USER, **body}),
    lambda body: read_response({"input": "Hi", **body}),
    lambda body: read_messages({"messages": USER, "max_tokens": 8, **body}),
)
MESSAGES = READERS[-1]


def request_of(call: Any) -> GenerateRequest:
    """The first request of a call."""
    request: GenerateRequest = call.requests[0] if hasattr(call, "requests") else call.request
    return request


@pytest.mark.parametrize("read", READERS[:-1])
def test_progress_is_asked_for_in_streams_only(read: Reader) -> None:
    assert request_of(read({"return_progress": True, "stream": True})).output.prompt_progress
    assert not request_of(read({"return_progress": True})).output.HasField("prompt_progress")
    assert not request_of(read({"return_progress": False, "stream": True})).output.HasField("prompt_progress")


@pytest.mark.parametrize("read", READERS[:-1])
def test_times_are_asked_for_with_every_piece_in_streams_only(read: Reader) -> None:
    streamed, whole = read({"timings_per_token": True, "stream": True}), read({"timings_per_token": True})
    assert request_of(streamed).output.timings
    assert not request_of(whole).output.HasField("timings")
    assert streamed.extras.tells_times
    assert whole.extras.tells_times
    assert not read({"timings_per_token": None}).extras.tells_times


@pytest.mark.parametrize("name", ["return_progress", "timings_per_token"])
def test_answers_without_a_place_for_it_refuse_it_by_name(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        MESSAGES({name: True})
    assert caught.value.name == name


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("value", "ping_s"), [(None, 15.0), (5, 5.0), (-1, None), (0, None), (2.9, 2.0)], ids=lambda value: str(value)
)
def test_a_body_says_how_long_its_stream_may_be_silent(read: Reader, value: object, ping_s: float | None) -> None:
    assert read({"sse_ping_interval": value}).extras.ping_s(15.0) == ping_s


def test_a_stream_without_comments_gets_none_unless_the_body_wants_them() -> None:
    assert Extras().ping_s(None) is None
    assert Extras(ping_interval_s=3).ping_s(None) == 3.0


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"return_progress": 1}, "return_progress"),
        ({"timings_per_token": "true"}, "timings_per_token"),
        ({"sse_ping_interval": -2}, "sse_ping_interval"),
        ({"sse_ping_interval": "5"}, "sse_ping_interval"),
    ],
)
def test_other_values_are_refused_by_name(body: dict[str, object], name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_extras(GenerateRequest(), body, is_stream=True)
    assert caught.value.name == name


@pytest.mark.parametrize("read", READERS)
def test_limits_of_lines_are_obeyed_everywhere(read: Reader) -> None:
    stop = request_of(read({"n_indent": 4, "t_max_predict_ms": 1500})).stop
    assert (stop.min_indent, stop.line_limit_ms) == (4, 1500)
    stop = request_of(read({"n_indent": -1, "t_max_predict_ms": -1})).stop
    assert (stop.min_indent, stop.line_limit_ms) == (0, 0)
