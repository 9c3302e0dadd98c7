"""Answers of POST /v1/messages: events in order, whole answers, why they end, and what they cost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.apis.anthropic.messages.reply import MessagesReply, stop_of
from rest_adapter.apis.anthropic.messages.request import read_messages
from rest_adapter.errors import RpcFailure
from rest_adapter.json.encoding import encode
from slotline.v1.generation_pb2 import (
    FINISH_REASON_CANCELLED,
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    Accepted,
    Finished,
    FinishReason,
    GenerateResponse,
    GenerationSettings,
    Piece,
)
from slotline.v1.tokens_pb2 import Usage
from tests.support.properties import untimed
from tests.unit.rest_adapter.described import described
from tests.unit.rest_adapter.messages import begun, content, delta, more, thought

USER = [{"role": "user", "content": "Hi"}]
ACCEPTED = GenerateResponse(accepted=Accepted(model="m", prompt_tokens=9, cached_prompt_tokens=4))


def finished(reason: FinishReason.ValueType = FINISH_REASON_STOP, **fields: Any) -> GenerateResponse:
    usage = Usage(prompt_tokens=9, cached_prompt_tokens=4, completion_tokens=5, reasoning_tokens=2)
    return GenerateResponse(finished=Finished(reason=reason, usage=usage, **fields))


def reply_to(**body: Any) -> MessagesReply:
    return MessagesReply(read_messages({"messages": USER, "model": "gpt", **body}), message_id="msg_1")


def streamed(*responses: GenerateResponse, **body: Any) -> list[dict[str, Any]]:
    reply = reply_to(stream=True, **body)
    events = [event for response in (ACCEPTED, *responses) for event in reply.feed(0, response)]
    return [described(event, "MessageEvent") for event in (*events, *reply.closing_events())]


def whole(*responses: GenerateResponse, **body: Any) -> dict[str, Any]:
    reply = reply_to(**body)
    for response in (ACCEPTED, *responses):
        assert list(reply.feed(0, response)) == []
    shown: dict[str, Any] = described(reply.result(), "Message")
    return shown


def put_together(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks of a stream, as clients put them together; checks that they follow each other."""
    blocks: list[dict[str, Any]] = []
    is_open = False
    for event in events:
        match event["type"]:
            case "content_block_start":
                assert not is_open
                assert event["index"] == len(blocks)
                is_open = True
                blocks.append(dict(event["content_block"], json=""))
            case "content_block_delta":
                assert is_open
                assert event["index"] == len(blocks) - 1
                kind, block = event["delta"]["type"], blocks[-1]
                if kind == "input_json_delta":
                    block["json"] += event["delta"]["partial_json"]
                else:
                    key = kind.removesuffix("_delta")
                    block[key] += event["delta"][key]
            case "content_block_stop":
                assert is_open
                assert event["index"] == len(blocks) - 1
                is_open = False
    assert not is_open
    for block in blocks:
        if text := block.pop("json"):
            block["input"] = json.loads(text)
    return blocks


def test_a_text_streams_as_one_block() -> None:
    assert streamed(delta(content("a"), content("")), delta(content("b")), finished()) == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "gpt",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {
                    "input_tokens": 5,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 4,
                    "output_tokens": 0,
                },
            },
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "b"}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {
                "input_tokens": 5,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 4,
                "output_tokens": 5,
                "output_tokens_details": {"thinking_tokens": 2},
            },
        },
        {"type": "message_stop"},
    ]


def test_thoughts_and_calls_are_blocks_that_follow_each_other() -> None:
    events = streamed(
        delta(thought("hm")),
        delta(content("So:"), begun(arguments='{"b"'), more(': 1, "a": 2}')),
        delta(begun(1, "g", "{}")),
        finished(FINISH_REASON_TOOL_CALLS),
    )
    assert [(event["type"].removeprefix("content_block_"), event.get("index")) for event in events[1:-2]] == [
        ("start", 0),
        ("delta", 0),
        ("delta", 0),
        ("stop", 0),
        ("start", 1),
        ("delta", 1),
        ("stop", 1),
        ("start", 2),
        ("delta", 2),
        ("delta", 2),
        ("stop", 2),
        ("start", 3),
        ("delta", 3),
        ("stop", 3),
    ]
    assert events[3]["delta"] == {"type": "signature_delta", "signature": ""}
    assert events[8]["content_block"] == {"type": "tool_use", "id": "call_0", "name": "f", "input": {}}
    assert events[-2]["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}


def test_a_whole_answer_has_the_input_of_calls_in_the_order_of_the_model() -> None:
    reply = reply_to()
    for response in (ACCEPTED, delta(begun(arguments='{"b": 1, "a": 2}')), finished(FINISH_REASON_TOOL_CALLS)):
        assert list(reply.feed(0, response)) == []
    assert b'"input":{"b": 1, "a": 2}' in encode(reply.result())


def test_an_answer_without_text_has_no_blocks() -> None:
    assert whole(finished())["content"] == []
    assert [event["type"] for event in streamed(finished())] == ["message_start", "message_delta", "message_stop"]


def test_thoughts_that_are_not_to_be_shown_leave_their_block() -> None:
    responses = (delta(thought("hm"), content("a")), finished())
    options = {"thinking": {"type": "adaptive", "display": "omitted"}}
    expected = [{"type": "thinking", "thinking": "", "signature": ""}, {"type": "text", "text": "a"}]
    assert whole(*responses, **options)["content"] == expected
    events = streamed(*responses, **options)
    assert put_together(events) == expected
    assert "hm" not in json.dumps(events)


@pytest.mark.parametrize("arguments", ["", '{"a": "b', "[1]", "[" * 20_000])
def test_a_call_that_was_cut_off_is_no_call_of_a_whole_answer(arguments: str) -> None:
    answer = whole(delta(content("a"), begun(arguments=arguments)), finished(FINISH_REASON_LENGTH))
    assert answer["content"] == [{"type": "text", "text": "a"}]


PARTS = st.lists(
    st.one_of(
        st.text(max_size=5).map(content),
        st.text(max_size=5).map(thought),
        st.dictionaries(st.text(max_size=3), st.integers(), max_size=3).map(json.dumps),
    ),
    max_size=8,
)


@untimed
@given(PARTS, st.integers(1, 4))
def test_a_stream_says_what_the_whole_answer_says(parts: list[Piece | str], cut: int) -> None:
    responses = []
    for number, part in enumerate(parts):
        if isinstance(part, Piece):
            responses.append(delta(part))
        else:
            pieces = [part[at : at + cut] for at in range(0, len(part), cut)]
            responses += [delta(begun(number)), *(delta(more(piece, number)) for piece in pieces)]
    responses.append(finished(FINISH_REASON_TOOL_CALLS))
    events, answer = streamed(*responses), whole(*responses)
    assert put_together(events) == answer["content"]
    assert events[-2]["usage"] == answer["usage"]
    assert events[-2]["delta"] == {key: answer[key] for key in ("stop_reason", "stop_sequence")}
    assert events[0]["message"] | {"content": []} == answer | {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": events[0]["message"]["usage"],
    }


def test_the_model_that_answers_is_named_if_the_body_names_none() -> None:
    assert whole(finished(), model=None)["model"] == "m"


LIMITED = GenerationSettings(max_tokens=5)


@pytest.mark.parametrize(
    ("end", "reason", "text"),
    [
        (Finished(reason=FINISH_REASON_STOP, eos_token_id=2), "end_turn", None),
        (Finished(reason=FINISH_REASON_STOP, stop_text="END"), "stop_sequence", "END"),
        # The end of a turn that the model writes out.
        (Finished(reason=FINISH_REASON_STOP, stop_text="<|im_end|>"), "end_turn", None),
        (Finished(reason=FINISH_REASON_TOOL_CALLS, eos_token_id=2), "tool_use", None),
        (Finished(reason=FINISH_REASON_LENGTH, tokens_predicted=5, settings=LIMITED), "max_tokens", None),
        (
            Finished(reason=FINISH_REASON_LENGTH, tokens_predicted=4, settings=LIMITED),
            "model_context_window_exceeded",
            None,
        ),
        (Finished(reason=FINISH_REASON_LENGTH, tokens_predicted=4), "model_context_window_exceeded", None),
    ],
)
def test_why_answers_end(end: Finished, reason: str, text: str | None) -> None:
    assert stop_of(end, {"END"}) == (reason, text)


def test_what_the_server_cut_short_is_no_answer() -> None:
    with pytest.raises(RpcFailure, match="shutting down"):
        streamed(finished(FINISH_REASON_CANCELLED))
    with pytest.raises(RpcFailure, match="before the generation was finished"):
        streamed(delta(content("a")))
    with pytest.raises(RpcFailure, match="before the generation was finished"):
        whole(delta(content("a")))
