"""Answers of POST /v1/chat/completions that the core has taken apart: reasoning, content and tool calls."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.apis.openai.chat.parsed_reply import ParsedChatReply
from rest_adapter.apis.openai.chat.request import read_chat
from rest_adapter.json.encoding import JsonObject, encode
from slotline.v1.generation_pb2 import (
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    GenerateResponse,
    Piece,
    ToolDelta,
)
from slotline.v1.tokens_pb2 import Usage
from tests.support.properties import untimed
from tests.support.wrong_bodies import TOOL
from tests.unit.rest_adapter.described import described
from tests.unit.rest_adapter.messages import (
    accepted,
    begun,
    content,
    delta,
    finished,
    more,
    plain,
    thought,
    timings,
    token,
)

TAIL = '"created":1709110000,"id":"chatcmpl-1","model":"gpt"'


def reply_to(**body: object) -> ParsedChatReply:
    messages = [{"role": "user", "content": "Hi"}]
    call = read_chat({"messages": messages, "model": "gpt", "tools": [TOOL], "tool_choice": "auto", **body})
    assert call.reasoning.is_parsed
    return ParsedChatReply(call, completion_id="chatcmpl-1", created=1709110000)


def called(**fields: Any) -> GenerateResponse:
    return finished(FINISH_REASON_TOOL_CALLS, **fields)


def feed_all(reply: ParsedChatReply, *responses: GenerateResponse) -> list[JsonObject]:
    return [plain(event) for response in responses for event in reply.feed(0, response)]


def streamed(*responses: GenerateResponse, **body: object) -> list[JsonObject]:
    """The chunks of a stream, each as the document describes it."""
    chunks = feed_all(reply_to(stream=True, **body), accepted(), *responses)
    return [described(chunk, "ChatCompletionChunk") for chunk in chunks]


def deltas(*responses: GenerateResponse, **body: object) -> list[JsonObject]:
    return [chunk["choices"][0]["delta"] for chunk in streamed(*responses, **body)]


def whole(*responses: GenerateResponse, **body: object) -> JsonObject:
    """An answer without a stream, as the document describes it."""
    reply = reply_to(**body)
    assert feed_all(reply, accepted(), *responses) == []
    result: JsonObject = described(reply.result(), "ChatCompletion")
    return result


def message_of(*responses: GenerateResponse, **body: object) -> JsonObject:
    message: JsonObject = whole(*responses, **body)["choices"][0]["message"]
    return message


CALL = {"id": "call_0", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


def test_a_call_byte_by_byte() -> None:
    reply = reply_to()
    usage = Usage(prompt_tokens=16, completion_tokens=7, reasoning_tokens=0)
    feed_all(reply, accepted(), delta(begun()), delta(more('{"a"'), more(": 1}")), called(usage=usage))
    assert encode(reply.result()).decode() == (
        '{"choices":[{"finish_reason":"tool_calls","index":0,"logprobs":null,'
        '"message":{"content":null,"refusal":null,"role":"assistant","tool_calls":['
        '{"function":{"arguments":"{\\"a\\": 1}","name":"f"},"id":"call_0","type":"function"}]}}],'
        f'{TAIL},"object":"chat.completion",'
        '"usage":{"completion_tokens":7,"completion_tokens_details":{"reasoning_tokens":0},"prompt_tokens":16,'
        '"prompt_tokens_details":{"cached_tokens":0},"total_tokens":23}}'
    )


def test_a_streamed_call_byte_by_byte() -> None:
    def chunk(inner: str, reason: str = "null") -> str:
        entry = f'{{"delta":{inner},"finish_reason":{reason},"index":0}}'
        return f'{{"choices":[{entry}],{TAIL},"object":"chat.completion.chunk"}}'

    events = streamed(delta(begun()), delta(more('{"a"'), more(": 1}")), called())
    assert [encode(event).decode() for event in events] == [
        chunk('{"content":null,"role":"assistant"}'),
        chunk(
            '{"tool_calls":[{"function":{"arguments":"","name":"f"},"id":"call_0","index":0,"type":"function"}]}',
        ),
        chunk('{"tool_calls":[{"function":{"arguments":"{\\"a\\""},"index":0}]}'),
        chunk('{"tool_calls":[{"function":{"arguments":": 1}"},"index":0}]}'),
        chunk("{}", '"tool_calls"'),
    ]


def test_the_first_chunk_of_a_call_has_no_arguments_even_if_they_came_with_it() -> None:
    _, first, second, _ = deltas(delta(begun(arguments="{}")), called())
    assert first["tool_calls"][0]["function"] == {"name": "f", "arguments": ""}
    assert second["tool_calls"] == [{"index": 0, "function": {"arguments": "{}"}}]


def test_reasoning_then_content_then_calls() -> None:
    responses = (
        delta(thought("Hm."), thought("")),
        delta(content("I look "), content("it up."), begun(), more("{}")),
        delta(begun(1, "g"), more("{}", 1)),
        called(),
    )
    second = {"id": "call_1", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    assert message_of(*responses) == {
        "role": "assistant",
        "content": "I look it up.",
        "refusal": None,
        "reasoning_content": "Hm.",
        "tool_calls": [CALL | {"function": {"name": "f", "arguments": "{}"}}, second],
    }
    assert deltas(*responses) == [
        {"role": "assistant", "content": None},
        {"reasoning_content": "Hm."},
        {"content": "I look "},
        {"content": "it up."},
        {"tool_calls": [{"index": 0, **CALL, "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]},
        {"tool_calls": [{"index": 1, **second, "function": {"name": "g", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
        {},
    ]


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        ((delta(content("Yes.")), finished(FINISH_REASON_STOP)), {"content": "Yes."}),
        ((delta(thought("Hm.")), finished(FINISH_REASON_LENGTH)), {"content": "", "reasoning_content": "Hm."}),
        ((finished(FINISH_REASON_LENGTH),), {"content": ""}),
        (
            (delta(begun(), more('{"a": ')), finished(FINISH_REASON_LENGTH)),
            {"content": None, "tool_calls": [CALL | {"function": {"name": "f", "arguments": '{"a": '}}]},
        ),
    ],
    ids=["content alone", "reasoning that did not end", "nothing", "a call that did not end"],
)
def test_what_is_not_there_has_no_field(responses: tuple[GenerateResponse, ...], message: JsonObject) -> None:
    assert message_of(*responses) == {"refusal": None, "role": "assistant", **message}


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (finished(FINISH_REASON_TOOL_CALLS, eos_token_id=2), "tool_calls"),
        (finished(FINISH_REASON_LENGTH), "length"),
        (finished(FINISH_REASON_STOP, eos_token_id=2), "stop"),
    ],
)
def test_finish_reason(end: GenerateResponse, reason: str) -> None:
    assert whole(delta(begun(), more("{}")), end)["choices"][0]["finish_reason"] == reason
    assert streamed(delta(begun(), more("{}")), end)[-1]["choices"][0]["finish_reason"] == reason


def test_reasoning_may_be_left_out() -> None:
    responses = (delta(thought("Hm."), content("Yes.")), finished(FINISH_REASON_STOP))
    assert "reasoning_content" not in message_of(*responses, include_reasoning=False)
    assert deltas(*responses, include_reasoning=False)[1:] == [{"content": "Yes."}, {}]


def test_calls_of_several_answers_stay_apart() -> None:
    responses = (
        delta(begun(), index=1),
        delta(content("Yes."), index=0),
        delta(more("{}"), index=1),
        called(index=1),
        finished(FINISH_REASON_STOP, usage=Usage(prompt_tokens=4, completion_tokens=6, reasoning_tokens=2)),
    )
    result = whole(*responses, n=2)
    first, second = result["choices"]
    assert (first["message"]["content"], first["finish_reason"]) == ("Yes.", "stop")
    assert "tool_calls" not in first["message"]
    assert second["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert second["finish_reason"] == "tool_calls"
    assert result["usage"]["completion_tokens_details"] == {"reasoning_tokens": 2}
    chunks = [chunk["choices"][0] for chunk in streamed(*responses, n=2)]
    assert [(chunk["index"], sorted(chunk["delta"])) for chunk in chunks] == [
        (0, ["content", "role"]),
        (1, ["content", "role"]),
        (1, ["tool_calls"]),
        (0, ["content"]),
        (1, ["tool_calls"]),
        (1, []),
        (0, []),
    ]


def test_the_usage_of_a_stream_counts_reasoning() -> None:
    reply = reply_to(stream=True, stream_options={"include_usage": True})
    usage = Usage(prompt_tokens=4, completion_tokens=6, reasoning_tokens=5)
    chunks = feed_all(reply, accepted(), delta(thought("Hm.")), finished(usage=usage))
    assert {chunk["usage"] for chunk in chunks} == {None}
    (last,) = reply.closing_events()
    assert last["choices"] == []
    assert last["usage"]["completion_tokens_details"] == {"reasoning_tokens": 5}


def test_log_probabilities_are_those_of_the_content() -> None:
    responses = (
        delta(thought("Hm.", token(b"Hm.", logprob=-1.0)), content("Yes", token(b"Yes", logprob=-0.5)), begun()),
        delta(content("!", token(b"!", logprob=-0.25)), more("{}")),
        called(),
    )
    whole_choice = whole(*responses, logprobs=True)["choices"][0]
    assert [entry["token"] for entry in whole_choice["logprobs"]["content"]] == ["Yes", "!"]
    shown = [chunk["choices"][0]["logprobs"] for chunk in streamed(*responses, logprobs=True)]
    assert [[entry["token"] for entry in found["content"]] for found in shown if found] == [["Yes"], ["!"]]


PARTS = st.lists(
    st.one_of(
        st.builds(thought, st.text(max_size=3)),
        st.builds(content, st.text(max_size=3)),
        st.builds(more, st.text(max_size=3)),
    ),
    max_size=12,
)


@untimed
@given(PARTS, st.integers(1, 4))
def test_a_stream_joins_to_the_whole_answer(parts: list[Piece | ToolDelta], step: int) -> None:
    given_parts = [begun(), *parts]
    responses = [delta(*given_parts[start : start + step]) for start in range(0, len(given_parts), step)]
    message = message_of(*responses, called())
    chunks = deltas(*responses, called())
    assert (message["content"] or "") == "".join(chunk.get("content") or "" for chunk in chunks)
    assert message.get("reasoning_content", "") == "".join(chunk.get("reasoning_content", "") for chunk in chunks)
    calls = [call for chunk in chunks for call in chunk.get("tool_calls", ())]
    assert [call["id"] for call in calls if "id" in call] == ["call_0"]
    (function,) = (call["function"] for call in message["tool_calls"])
    assert function == {"name": "f", "arguments": "".join(call["function"]["arguments"] for call in calls)}


def test_reasoning_and_parts_of_calls_have_times_if_they_are_wanted() -> None:
    pondering, calling = thought("Hm"), begun()
    pondering.timings.CopyFrom(timings(decoded=1))
    calling.timings.CopyFrom(timings(decoded=2))
    chunks = streamed(delta(pondering), delta(calling), called(), timings_per_token=True)
    assert [chunk.get("timings", {}).get("predicted_n") for chunk in chunks] == [None, 1, 2, 2]
