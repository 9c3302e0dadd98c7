from __future__ import annotations

import pytest

from rest_adapter.apis.openai.chat.reply import ChatReply
from rest_adapter.apis.openai.chat.request import read_chat
from rest_adapter.errors import RpcFailure
from rest_adapter.json.encoding import JsonObject, encode
from slotline.v1.generation_pb2 import (
    FINISH_REASON_CANCELLED,
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    GenerateResponse,
    Piece,
)
from slotline.v1.tokens_pb2 import TokenLogprob, Usage
from tests.unit.rest_adapter.messages import (
    accepted,
    delta,
    finished,
    piece,
    plain,
    progress,
    stopped_at_eos,
    timings,
    token,
)

TAIL = '"created":1709110000,"id":"chatcmpl-1","model":"gpt"'


def reply_to(**body: object) -> ChatReply:
    call = read_chat({"messages": [{"role": "user", "content": "Hi"}], "model": "gpt", **body})
    return ChatReply(call, completion_id="chatcmpl-1", created=1709110000)


def feed_all(reply: ChatReply, *responses: GenerateResponse) -> list[JsonObject]:
    return [plain(event) for response in responses for event in reply.feed(0, response)]


def texts(events: list[JsonObject]) -> list[str]:
    return [encode(event).decode() for event in events]


def chunk(inner: str, reason: str = "null") -> str:
    return (
        f'{{"choices":[{{"delta":{inner},"finish_reason":{reason},"index":0}}],{TAIL},'
        '"object":"chat.completion.chunk"}'
    )


def test_a_whole_answer_byte_by_byte() -> None:
    reply = reply_to()
    usage = Usage(prompt_tokens=16, completion_tokens=7)
    assert feed_all(reply, accepted(), delta("The"), delta(" answer"), finished(usage=usage)) == []
    assert encode(reply.result()).decode() == (
        '{"choices":[{"finish_reason":"length","index":0,"logprobs":null,'
        '"message":{"content":"The answer","refusal":null,"role":"assistant"}}],'
        f'{TAIL},"object":"chat.completion",'
        '"usage":{"completion_tokens":7,"prompt_tokens":16,"prompt_tokens_details":{"cached_tokens":0},'
        '"total_tokens":23}}'
    )


def test_a_stream_byte_by_byte() -> None:
    reply = reply_to(stream=True)
    events = feed_all(reply, accepted(), delta("", "Hel"), delta("lo", ""), stopped_at_eos())
    assert texts(events) == [
        chunk('{"role":"assistant"}'),
        chunk('{"content":"Hel"}'),
        chunk('{"content":"lo"}'),
        chunk("{}", '"stop"'),
    ]
    assert list(reply.closing_events()) == []


def test_the_usage_chunk_comes_last_and_the_others_say_null() -> None:
    reply = reply_to(stream=True, stream_options={"include_usage": True})
    usage = Usage(prompt_tokens=3, completion_tokens=2)
    events = feed_all(reply, accepted(), delta("a"), finished(usage=usage))
    assert [event["usage"] for event in events] == [None] * 3
    assert texts(list(reply.closing_events())) == [
        f'{{"choices":[],{TAIL},"object":"chat.completion.chunk",'
        '"usage":{"completion_tokens":2,"prompt_tokens":3,"prompt_tokens_details":{"cached_tokens":0},'
        '"total_tokens":5}}'
    ]


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (finished(FINISH_REASON_STOP, eos_token_id=2), "stop"),
        (finished(FINISH_REASON_STOP, stop_text="x"), "stop"),
        (finished(FINISH_REASON_LENGTH), "length"),
        (finished(FINISH_REASON_LENGTH, eos_token_id=2), "length"),
    ],
)
def test_finish_reason(response: GenerateResponse, reason: str) -> None:
    whole, streamed = reply_to(), reply_to(stream=True)
    feed_all(whole, accepted(), response)
    assert plain(whole.result())["choices"][0]["finish_reason"] == reason
    assert feed_all(streamed, accepted(), response)[-1]["choices"][0]["finish_reason"] == reason


def test_usage_is_counted_from_the_sequence_if_the_core_sends_no_total() -> None:
    reply = reply_to()
    feed_all(reply, accepted(), finished(predicted=5))
    usage = plain(reply.result())["usage"]
    assert (usage["completion_tokens"], usage["prompt_tokens"], usage["total_tokens"]) == (5, 2, 7)


@pytest.mark.parametrize(
    ("usage", "details"),
    [
        (Usage(prompt_tokens=16, completion_tokens=7), {"cached_tokens": 0}),
        (Usage(prompt_tokens=16, cached_prompt_tokens=12, completion_tokens=7), {"cached_tokens": 12}),
        (
            Usage(prompt_tokens=16, cached_prompt_tokens=3, truncated_prompt_tokens=40),
            {"cached_tokens": 3, "truncated_tokens": 40},
        ),
    ],
)
def test_usage_tells_what_was_cached_and_what_was_left_out(usage: Usage, details: JsonObject) -> None:
    whole, streamed = reply_to(), reply_to(stream=True, stream_options={"include_usage": True})
    for reply in (whole, streamed):
        feed_all(reply, accepted(), finished(usage=usage))
    (chunk,) = streamed.closing_events()
    assert chunk["usage"]["prompt_tokens_details"] == details
    assert plain(whole.result())["usage"]["prompt_tokens_details"] == details


def test_several_choices() -> None:
    reply = reply_to(n=2)
    usage = Usage(prompt_tokens=4, completion_tokens=6)
    feed_all(reply, accepted(), delta("B", index=1), delta("A", index=0), stopped_at_eos(1), finished(usage=usage))
    result = reply.result()
    assert [(choice["index"], choice["message"]["content"]) for choice in result["choices"]] == [(0, "A"), (1, "B")]
    assert [choice["finish_reason"] for choice in result["choices"]] == ["length", "stop"]
    assert result["usage"]["total_tokens"] == 10


def test_each_streamed_choice_begins_with_a_role() -> None:
    reply = reply_to(n=2, stream=True)
    events = feed_all(reply, accepted(), delta("B", index=1))
    choices = [event["choices"][0] for event in events]
    assert [(choice["index"], choice["delta"]) for choice in choices] == [
        (0, {"role": "assistant"}),
        (1, {"role": "assistant"}),
        (1, {"content": "B"}),
    ]


def with_logprobs() -> tuple[GenerateResponse, ...]:
    first = token(b"A", logprob=-0.5)
    first.top_logprobs.append(TokenLogprob(piece=b"A", logprob=-0.5))
    first.top_logprobs.append(TokenLogprob(piece=b"\xe2\x82", logprob=-1.0))
    held, last, end = token(b"B", logprob=-0.25), token(b"C", logprob=-2.0), token(b"", logprob=-4.0)
    return accepted(), delta(piece("A", first), piece("", held), piece("BC", last), piece("", end)), finished()


FIRST = {
    "token": "A",
    "logprob": -0.5,
    "bytes": [65],
    "top_logprobs": [
        {"token": "A", "logprob": -0.5, "bytes": [65]},
        {"token": "�", "logprob": -1.0, "bytes": [226, 130]},
    ],
}
HELD = {"token": "B", "logprob": -0.25, "bytes": [66], "top_logprobs": []}
LAST = {"token": "C", "logprob": -2.0, "bytes": [67], "top_logprobs": []}


def test_logprobs_of_a_whole_answer_leave_out_control_tokens() -> None:
    reply = reply_to(logprobs=True, top_logprobs=2)
    feed_all(reply, *with_logprobs())
    assert plain(reply.result())["choices"][0]["logprobs"] == {"content": [FIRST, HELD, LAST]}


def test_logprobs_of_held_back_tokens_travel_with_the_chunk_that_has_their_text() -> None:
    events = feed_all(reply_to(stream=True, logprobs=True, top_logprobs=2), *with_logprobs())
    assert [event["choices"][0]["logprobs"] for event in events] == [
        None,
        {"content": [FIRST]},
        {"content": [HELD, LAST]},
        None,
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_logprobs_leave_out_what_a_stop_text_cut_off(stream: bool) -> None:
    reply = reply_to(stream=stream, logprobs=True)
    cut = delta(piece("A", token(b"A", logprob=-0.5)), piece("", token(b" st", logprob=-0.25), token(b"op")))
    events = feed_all(reply, accepted(), cut, finished())
    shown = [event["choices"][0].get("logprobs") for event in (events if stream else [plain(reply.result())])]
    (entries,) = (found["content"] for found in shown if found)
    assert [entry["token"] for entry in entries] == ["A"]


def test_a_whole_answer_without_logprobs_says_null() -> None:
    reply = reply_to()
    feed_all(reply, *with_logprobs())
    assert plain(reply.result())["choices"][0]["logprobs"] is None


def test_streams_have_no_logprobs_unless_asked_for() -> None:
    events = feed_all(reply_to(stream=True), *with_logprobs())
    assert all("logprobs" not in event["choices"][0] for event in events)


def test_native_probabilities_are_beside_the_choices() -> None:
    reply = reply_to(n_probs=1)
    feed_all(reply, accepted(), delta(piece("a", token(b"a", (b"a", 0.5)))), finished())
    expected = [{"content": "a", "probs": [{"prob": 0.5, "tok_str": "a"}]}]
    assert plain(reply.result())["completion_probabilities"] == expected


def test_native_probabilities_in_a_stream_come_once_each() -> None:
    reply = reply_to(n_probs=1, stream=True)
    tokens = [token(text, (text, 0.5)) for text in (b"a", b"b", b"c")]
    events = feed_all(
        reply, accepted(), delta(piece("a", tokens[0]), piece("", tokens[1]), piece("bc", tokens[2])), finished()
    )
    shown = [[entry["content"] for entry in event["completion_probabilities"]] for event in events]
    assert shown == [[], ["a"], ["b", "c"], []]


def test_a_sequence_that_the_server_ended_is_a_failure() -> None:
    with pytest.raises(RpcFailure, match="shutting down"):
        feed_all(reply_to(), accepted(), finished(FINISH_REASON_CANCELLED))


def test_a_stream_without_its_last_message_is_a_failure() -> None:
    for body in ({}, {"stream": True, "stream_options": {"include_usage": True}}):
        reply = reply_to(**body)
        feed_all(reply, accepted(), delta("x"))
        with pytest.raises(RpcFailure, match="before the generation was finished"):
            list(reply.closing_events()) if body else reply.result()


@pytest.mark.parametrize("body", [{"model": None}, {"model": "/models/m.gguf"}, {"model": ""}])
def test_a_model_that_was_not_named_is_called_as_the_core_says(body: JsonObject) -> None:
    whole, streamed = reply_to(**body), reply_to(stream=True, stream_options={"include_usage": True}, **body)
    feed_all(whole, accepted(), finished())
    assert whole.result()["model"] == "m.gguf"
    chunks = [*feed_all(streamed, accepted(), delta("a"), finished()), *streamed.closing_events()]
    assert {chunk["model"] for chunk in chunks} == {"m.gguf"}


def test_progress_comes_in_chunks_without_text_behind_the_first_one() -> None:
    reply = reply_to(stream=True, return_progress=True)
    first, begun, done, text = feed_all(reply, accepted(), progress(2), progress(9), delta("x"))
    assert first["choices"][0]["delta"] == {"role": "assistant"}
    assert [one["choices"][0]["delta"] for one in (begun, done)] == [{}, {}]
    assert begun["prompt_progress"] == {"cache": 2, "processed": 2, "time_ms": 12, "total": 9}
    assert done["prompt_progress"]["processed"] == 9
    assert "prompt_progress" not in text


def test_times_are_in_all_chunks_with_text_and_in_those_that_end() -> None:
    reply = reply_to(stream=True, timings_per_token=True, stream_options={"include_usage": True})
    events = feed_all(reply, accepted(), delta(Piece(text="x", timings=timings(decoded=1))), finished())
    events += plain(list(reply.closing_events()))
    assert [event.get("timings", {}).get("predicted_n") for event in events] == [None, 1, 2, 2]


def test_times_are_in_a_whole_answer_if_they_are_wanted() -> None:
    for wanted in (True, False):
        reply = reply_to(timings_per_token=wanted)
        feed_all(reply, accepted(), delta("x"), finished())
        assert ("timings" in reply.result()) is wanted
