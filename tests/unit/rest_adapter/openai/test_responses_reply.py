"""Answers of POST /v1/responses: items, events in order, how an answer ends, and failures."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.apis.openai.responses.custom_input import CustomInput
from rest_adapter.apis.openai.responses.reply import ResponsesReply
from rest_adapter.apis.openai.responses.request import read_response
from rest_adapter.errors import RpcFailure
from rest_adapter.http.http_errors import http_error
from slotline.protocol import reasons
from slotline.v1.generation_pb2 import (
    CHANNEL_CONTENT,
    FINISH_REASON_CANCELLED,
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    FinishReason,
    GenerateResponse,
    Piece,
    ToolDelta,
)
from slotline.v1.tokens_pb2 import Usage
from tests.support.properties import untimed
from tests.unit.rest_adapter.described import described
from tests.unit.rest_adapter.messages import (
    accepted,
    begun,
    content,
    delta,
    finished,
    more,
    plain,
    progress,
    thought,
    timings,
    token,
)

TOOLS = [{"type": "function", "name": "f"}, {"type": "custom", "name": "patch"}]
USAGE = Usage(prompt_tokens=9, completion_tokens=5, cached_prompt_tokens=4, reasoning_tokens=2)


def reply_to(**body: Any) -> ResponsesReply:
    call = read_response({"input": "Hi", "model": "gpt", "tools": TOOLS, **body})
    return ResponsesReply(call, response_id="resp_1", created=1709110000)


def end(reason: FinishReason.ValueType = FINISH_REASON_STOP) -> GenerateResponse:
    return finished(reason, usage=USAGE)


def feed(reply: ResponsesReply, *messages: GenerateResponse) -> list[dict[str, Any]]:
    return [event for message in messages for event in plain(list(reply.feed(0, message)))]


def stream(*messages: GenerateResponse, **body: Any) -> list[dict[str, Any]]:
    """All events, which have what the description says, numbers without gaps, and one id."""
    reply = reply_to(stream=True, **body)
    events = [*feed(reply, accepted(), *messages), *plain(list(reply.closing_events()))]
    check(events)
    return events


def whole(*messages: GenerateResponse, **body: Any) -> dict[str, Any]:
    reply = reply_to(**body)
    feed(reply, accepted(), *messages)
    result: dict[str, Any] = described(reply.result(), "Response")
    return result


def check(events: list[dict[str, Any]]) -> None:
    for number, event in enumerate(events):
        described(event, "ResponseEvent")
        assert event["sequence_number"] == number
        assert event.get("response", {"id": "resp_1"})["id"] == "resp_1"


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_ids(item) for key, item in value.items() if key not in ("id", "item_id")}
    return [without_ids(item) for item in value] if isinstance(value, list) else value


def told(events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Events in short: kind, number of the item, and what it tells."""
    shown = []
    for event in events:
        value = event.get("delta", event.get("text", event.get("arguments", event.get("input"))))
        if "item" in event:
            value = event["item"]["status"]
        shown.append((event["type"].removeprefix("response."), event.get("output_index"), value))
    return shown


CALLED = (
    delta(thought("Let me "), thought("see.")),
    delta(content("I look."), begun()),
    delta(more('{"a":'), more(" 1}")),
    delta(begun(1, "patch", '{"inp')),
    delta(more('ut": "a\\', 1)),
    delta(more('n\\u00e9"}', 1)),
    end(FINISH_REASON_TOOL_CALLS),
)


def test_the_events_of_an_answer_with_everything() -> None:
    assert told(stream(*CALLED)) == [
        ("created", None, None),
        ("in_progress", None, None),
        ("output_item.added", 0, "in_progress"),
        ("content_part.added", 0, None),
        ("reasoning_text.delta", 0, "Let me "),
        ("reasoning_text.delta", 0, "see."),
        ("reasoning_text.done", 0, "Let me see."),
        ("content_part.done", 0, None),
        ("output_item.done", 0, "completed"),
        ("output_item.added", 1, "in_progress"),
        ("content_part.added", 1, None),
        ("output_text.delta", 1, "I look."),
        ("output_text.done", 1, "I look."),
        ("content_part.done", 1, None),
        ("output_item.done", 1, "completed"),
        ("output_item.added", 2, "in_progress"),
        ("function_call_arguments.delta", 2, '{"a":'),
        ("function_call_arguments.delta", 2, " 1}"),
        ("function_call_arguments.done", 2, '{"a": 1}'),
        ("output_item.done", 2, "completed"),
        ("output_item.added", 3, "in_progress"),
        ("custom_tool_call_input.delta", 3, "a"),
        ("custom_tool_call_input.delta", 3, "\né"),
        ("custom_tool_call_input.done", 3, "a\né"),
        ("output_item.done", 3, "completed"),
        ("completed", None, None),
    ]


def test_the_items_of_an_answer_with_everything() -> None:
    answer = whole(*CALLED)
    assert without_ids(answer["output"]) == [
        {
            "type": "reasoning",
            "summary": [],
            "content": [{"type": "reasoning_text", "text": "Let me see."}],
            "status": "completed",
        },
        {
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []}],
        },
        {"type": "function_call", "call_id": "call_0", "name": "f", "arguments": '{"a": 1}', "status": "completed"},
        {"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "a\né", "status": "completed"},
    ]
    ids = [item["id"] for item in answer["output"]]
    assert [one.split("_")[0] for one in ids] == ["rs", "msg", "fc", "ctc"]
    assert (answer["status"], answer["error"], answer["incomplete_details"]) == ("completed", None, None)
    assert answer["model"] == "gpt"
    assert answer["created_at"] == 1709110000
    assert answer["usage"] == {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 14,
    }


PARTS = st.lists(
    st.one_of(
        st.builds(thought, st.text(max_size=3)),
        st.builds(content, st.text(max_size=3)),
        st.sampled_from(["f", "patch"]).map(lambda name: begun(name=name)),
        st.just(""),
    ),
    max_size=12,
)


def numbered(parts: list[Any]) -> list[Piece | ToolDelta]:
    """Parts in which each call has a number of its own, and more of its arguments follows the name."""
    made: list[Piece | ToolDelta] = []
    calls = itertools.count()
    for part in parts:
        if isinstance(part, ToolDelta):
            call = next(calls)
            made += [begun(call, part.name), more('{"input": "x"}', call)]
        elif part != "":
            made.append(part)
    return made


@untimed
@given(PARTS, st.sampled_from([FINISH_REASON_STOP, FINISH_REASON_LENGTH]))
def test_a_stream_ends_with_the_whole_answer_whose_items_it_told(
    parts: list[Any], reason: FinishReason.ValueType
) -> None:
    messages = [*(delta(part) for part in numbered(parts)), end(reason)]
    events = stream(*messages)
    last = events[-1]["response"]
    assert without_ids(last) == without_ids(whole(*messages))
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert last["output"] == done
    added = [event for event in events if event["type"] == "response.output_item.added"]
    assert [(event["output_index"], event["item"]["id"]) for event in added] == [
        (number, item["id"]) for number, item in enumerate(done)
    ]
    # The deltas of an item are its text.
    for number, item in enumerate(done):
        deltas = "".join(e["delta"] for e in events if e.get("output_index") == number and "delta" in e)
        text = item.get("arguments", item.get("input")) or "".join(part["text"] for part in item.get("content", ()))
        assert deltas == text
        place = {event["item_id"] for event in events if event.get("output_index") == number and "item_id" in event}
        assert place == {item["id"]}


def test_what_is_cut_is_incomplete() -> None:
    events = stream(delta(content("I l"), begun(arguments='{"a')), end(FINISH_REASON_LENGTH))
    assert [event["type"] for event in events][-2:] == ["response.output_item.done", "response.incomplete"]
    answer = events[-1]["response"]
    assert answer["status"] == "incomplete"
    assert answer["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["status"] for item in answer["output"]] == ["completed", "incomplete"]
    assert answer["output"][1]["arguments"] == '{"a'


def test_an_answer_without_anything() -> None:
    events = stream(end())
    assert [event["type"] for event in events] == ["response.created", "response.in_progress", "response.completed"]
    assert events[-1]["response"]["output"] == []


def test_the_model_of_the_core_has_the_name_if_the_body_has_none() -> None:
    created, *_ = stream(end(), model=None)
    assert created["response"]["model"] == "m.gguf"
    assert created["response"]["usage"] is None


def test_large_settings_are_repeated_as_they_are() -> None:
    tool = {"type": "function", "name": "f", "description": "d" * 200_000}
    small, large = (reply_to(tools=[one], instructions="Be brief.") for one in (TOOLS[0], tool))
    for reply in (small, large):
        feed(reply, accepted(), delta(content("Yes.")), end())
    answers = [plain(reply.result()) for reply in (small, large)]
    assert answers[1].pop("tools") == [tool]
    assert answers[0].pop("tools") == [TOOLS[0]]
    assert without_ids(answers[0]) == without_ids(answers[1])


def test_reasoning_may_be_left_out() -> None:
    events = stream(delta(thought("Hm."), content("Yes.")), end(), include_reasoning=False)
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["message"]


def test_log_probabilities_come_with_their_text() -> None:
    pieces = (content("", token(b"\xc3", logprob=-0.5)), content("é", token(b"\xa9", logprob=-0.25)))
    events = stream(delta(*pieces), end(), top_logprobs=1)
    (more_text,) = (event for event in events if event["type"] == "response.output_text.delta")
    assert [entry["logprob"] for entry in more_text["logprobs"]] == [-0.5, -0.25]
    (message,) = events[-1]["response"]["output"]
    assert message["content"][0]["logprobs"] == more_text["logprobs"]
    assert whole(delta(*pieces), end())["output"][0]["content"][0]["logprobs"] == []


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (RpcFailure(StatusCode.UNAVAILABLE, "", "gone"), "server_error"),
        (RpcFailure(StatusCode.RESOURCE_EXHAUSTED, reasons.QUEUE_FULL, "full"), "rate_limit_exceeded"),
        (RpcFailure(StatusCode.INVALID_ARGUMENT, reasons.CONTEXT_LENGTH_EXCEEDED, "long"), "context_length_exceeded"),
    ],
)
def test_a_failure_ends_the_stream_with_what_has_come(failure: RpcFailure, code: str) -> None:
    reply = reply_to(stream=True)
    events = [*feed(reply, accepted(), delta(content("Onc"))), plain(reply.failed(http_error(failure)))]
    check(events)
    answer = events[-1]["response"]
    assert events[-1]["type"] == "response.failed"
    assert (answer["status"], answer["error"]) == ("failed", {"code": code, "message": failure.message})
    assert answer["usage"] is None
    assert answer["output"][0]["status"] == "incomplete"


def test_an_answer_that_the_server_cut_short_is_a_failure() -> None:
    reply = reply_to()
    with pytest.raises(RpcFailure):
        feed(reply, accepted(), end(FINISH_REASON_CANCELLED))


@untimed
@given(st.text(max_size=30), st.booleans(), st.data())
def test_a_text_is_decoded_wherever_its_json_is_divided(text: str, ascii_only: bool, data: st.DataObject) -> None:
    text = text.encode(errors="replace").decode()
    arguments = json.dumps({"input": text}, ensure_ascii=ascii_only)
    places = sorted(data.draw(st.lists(st.integers(0, len(arguments)), max_size=8)))
    decoder = CustomInput()
    pieces = [arguments[a:b] for a, b in itertools.pairwise([0, *places, len(arguments)])]
    assert "".join(map(decoder.feed, pieces)) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"input": "a', "a"),
        ('{"input": "a\\', "a"),
        ('{"input": "a\\u00', "a"),
        ('{"input": "\\ud83d', ""),
        ('{"input": "\\ud83dx"}', "?x"),
        ('{"input": "\\ud83d\\u0041"}', "?A"),
        ('{"input": "\\udc00"}', "?"),
        ("{}", ""),
        ("", ""),
    ],
)
def test_what_is_cut_or_no_text_is_left_out(arguments: str, text: str) -> None:
    assert CustomInput().feed(arguments) == text
    decoder = CustomInput()
    assert "".join(map(decoder.feed, arguments)) == text


def test_progress_comes_in_events_that_say_that_the_answer_is_in_progress() -> None:
    events = stream(progress(2), progress(9), delta(content("x")), end(), return_progress=True)
    told = [event for event in events if "prompt_progress" in event]
    assert [event["type"] for event in told] == ["response.in_progress"] * 2
    assert [event["prompt_progress"]["processed"] for event in told] == [2, 9]


def test_times_are_in_the_events_of_texts_and_at_the_end_if_they_are_wanted() -> None:
    timed = Piece(text="x", channel=CHANNEL_CONTENT, timings=timings(decoded=1))
    events = stream(delta(timed), end(), timings_per_token=True)
    told = {event["type"]: event["timings"]["predicted_n"] for event in events if "timings" in event}
    assert told["response.output_text.delta"] == 1
    assert told["response.completed"] == 2
    assert "timings" not in events[0]
    assert not any("timings" in event for event in stream(delta(content("x")), end()))


@pytest.mark.parametrize("wanted", [True, False])
def test_times_are_in_a_whole_answer_if_they_are_wanted(wanted: bool) -> None:
    assert ("timings" in whole(delta(content("x")), end(), timings_per_token=wanted)) is wanted


def test_numbers_that_the_body_leaves_out_are_those_that_were_in_force() -> None:
    ended = end()
    ended.finished.settings.sampling.temperature = 0.7
    ended.finished.settings.sampling.top_p = 0.95
    answer = whole(delta(content("x")), ended, top_p=0.5)
    assert (answer["temperature"], answer["top_p"]) == (0.7, 0.5)
