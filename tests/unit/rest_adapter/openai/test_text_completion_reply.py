from __future__ import annotations

from typing import Any

import pytest

from rest_adapter.apis.openai.completions.reply import TextCompletionReply
from rest_adapter.apis.openai.completions.request import read_text_completion
from rest_adapter.errors import RpcFailure
from rest_adapter.json.encoding import JsonObject, encode
from slotline.v1.generation_pb2 import (
    FINISH_REASON_CANCELLED,
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    GenerateResponse,
    Piece,
)
from slotline.v1.tokens_pb2 import Usage
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

TAIL = '"created":1709110000,"id":"cmpl-1","model":"gpt","object":"text_completion"'


def reply_to(*echoes: str, **body: object) -> TextCompletionReply:
    call = read_text_completion({"prompt": "Hi", "model": "gpt", **body})
    assert len(echoes) in (0, len(call.prompts))
    return TextCompletionReply(call, echoes or [""] * len(call.prompts), completion_id="cmpl-1", created=1709110000)


def feed_all(reply: TextCompletionReply, *responses: GenerateResponse, number: int = 0) -> list[JsonObject]:
    return [plain(event) for response in responses for event in reply.feed(number, response)]


def texts(events: list[JsonObject]) -> list[str]:
    return [encode(event).decode() for event in events]


def chunk(text: str, reason: str = "null", index: int = 0, usage: str = "") -> str:
    choice = f'{{"finish_reason":{reason},"index":{index},"logprobs":null,"text":"{text}"}}'
    return f'{{"choices":[{choice}],{TAIL}{usage}}}'


def shown(events: list[JsonObject]) -> list[tuple[int, str]]:
    return [(event["choices"][0]["index"], event["choices"][0]["text"]) for event in events]


def test_a_whole_answer_byte_by_byte() -> None:
    reply = reply_to()
    usage = Usage(prompt_tokens=16, completion_tokens=7)
    assert feed_all(reply, accepted(), delta("The"), delta(" answer"), finished(usage=usage)) == []
    assert encode(reply.result()).decode() == (
        '{"choices":[{"finish_reason":"length","index":0,"logprobs":null,"text":"The answer"}],'
        f'{TAIL},"usage":{{"completion_tokens":7,"prompt_tokens":16,'
        '"prompt_tokens_details":{"cached_tokens":0},"total_tokens":23}}'
    )


def test_a_stream_byte_by_byte() -> None:
    reply = reply_to(stream=True)
    events = feed_all(reply, accepted(), delta("", "Hel"), delta("lo", ""), stopped_at_eos())
    assert texts(events) == [chunk("Hel"), chunk("lo"), chunk("", '"stop"')]
    assert list(reply.closing_events()) == []


def test_the_usage_chunk_comes_last_and_the_others_say_null() -> None:
    reply = reply_to(stream=True, stream_options={"include_usage": True})
    usage = Usage(prompt_tokens=3, completion_tokens=2)
    events = feed_all(reply, accepted(), delta("a"), finished(usage=usage))
    null = ',"usage":null'
    assert texts(events) == [chunk("a", usage=null), chunk("", '"length"', usage=null)]
    assert texts(list(reply.closing_events())) == [
        f'{{"choices":[],{TAIL},"usage":{{"completion_tokens":2,"prompt_tokens":3,'
        '"prompt_tokens_details":{"cached_tokens":0},"total_tokens":5}}'
    ]


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (finished(FINISH_REASON_STOP, eos_token_id=2), "stop"),
        (finished(FINISH_REASON_STOP, stop_text="x"), "stop"),
        (finished(FINISH_REASON_LENGTH), "length"),
    ],
)
def test_finish_reason(response: GenerateResponse, reason: str) -> None:
    whole, streamed = reply_to(), reply_to(stream=True)
    feed_all(whole, accepted(), response)
    assert plain(whole.result())["choices"][0]["finish_reason"] == reason
    assert feed_all(streamed, accepted(), response)[-1]["choices"][0]["finish_reason"] == reason


def test_choices_are_numbered_prompt_by_prompt() -> None:
    reply = reply_to(prompt=["x", "y"], n=2)
    usage = Usage(prompt_tokens=4, completion_tokens=6, truncated_prompt_tokens=5)
    feed_all(reply, accepted(), delta("D", index=1), delta("C"), number=1)
    feed_all(reply, accepted(), delta("A"), delta("B", index=1), stopped_at_eos(1), finished(usage=usage))
    feed_all(reply, finished(), finished(index=1, usage=usage), number=1)
    result = reply.result()
    assert [(choice["index"], choice["text"]) for choice in result["choices"]] == [
        (0, "A"),
        (1, "B"),
        (2, "C"),
        (3, "D"),
    ]
    assert [choice["finish_reason"] for choice in result["choices"]] == ["length", "stop", "length", "length"]
    usage = result["usage"]
    assert (usage["completion_tokens"], usage["prompt_tokens"], usage["total_tokens"]) == (12, 8, 20)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0, "truncated_tokens": 10}


def test_streamed_choices_are_numbered_prompt_by_prompt() -> None:
    reply = reply_to(prompt=["x", "y"], n=2, stream=True)
    events = [
        *feed_all(reply, accepted(), delta("D", index=1), number=1),
        *feed_all(reply, accepted(), delta("A"), stopped_at_eos(1)),
    ]
    assert shown(events) == [(3, "D"), (0, "A"), (1, "")]


def test_the_echo_stands_before_each_answer() -> None:
    reply = reply_to("x", "y", prompt=["x", "y"], n=2, echo=True)
    for number in (0, 1):
        feed_all(reply, accepted(), delta("A"), delta("B", index=1), finished(), finished(index=1), number=number)
    assert [choice["text"] for choice in plain(reply.result())["choices"]] == ["xA", "xB", "yA", "yB"]


def test_a_stream_begins_with_the_echo() -> None:
    reply = reply_to("x", "y", prompt=["x", "y"], n=2, echo=True, stream=True)
    events = [*feed_all(reply, accepted(), number=1), *feed_all(reply, accepted(), delta("B", index=1))]
    assert shown(events) == [(2, "y"), (3, "y"), (0, "x"), (1, "x"), (1, "B")]


def with_logprobs() -> tuple[GenerateResponse, ...]:
    held, last, end = token(b"B", logprob=-0.25), token(b"C", logprob=-2.0), token(b"", logprob=-4.0)
    first = delta(piece("A", token(b"A", logprob=-0.5)), piece("", held), piece("BC", last), piece("", end))
    return accepted(), first, finished()


def lists(offsets: list[int], values: list[float], names: list[str]) -> dict[str, Any]:
    top = [{name: value} for name, value in zip(names, values, strict=True)]
    return {"text_offset": offsets, "token_logprobs": values, "tokens": names, "top_logprobs": top}


def test_logprobs_of_a_whole_answer() -> None:
    reply = reply_to(logprobs=0)
    feed_all(reply, *with_logprobs())
    assert plain(reply.result())["choices"][0]["logprobs"] == lists([0, 1, 2], [-0.5, -0.25, -2.0], ["A", "B", "C"])


def test_logprobs_travel_with_the_chunk_that_has_their_text() -> None:
    events = feed_all(reply_to(stream=True, logprobs=0), *with_logprobs())
    assert [event["choices"][0]["logprobs"] for event in events] == [
        lists([0], [-0.5], ["A"]),
        lists([1, 2], [-0.25, -2.0], ["B", "C"]),
        None,
    ]


def test_logprobs_of_several_choices_are_not_mixed_up() -> None:
    reply = reply_to(logprobs=0, n=2)
    feed_all(
        reply,
        accepted(),
        delta(piece("b", token(b"b", logprob=-2.0)), index=1),
        delta(piece("a", token(b"a", logprob=-1.0))),
        finished(),
        finished(index=1),
    )
    assert [choice["logprobs"]["tokens"] for choice in plain(reply.result())["choices"]] == [["a"], ["b"]]


def test_native_probabilities_are_beside_the_choices() -> None:
    expected = [{"content": "a", "probs": [{"prob": 0.5, "tok_str": "a"}]}]
    messages = accepted(), delta(piece("a", token(b"a", (b"a", 0.5)))), finished()
    whole = reply_to(n_probs=1)
    feed_all(whole, *messages)
    assert plain(whole.result())["completion_probabilities"] == expected
    events = feed_all(reply_to(n_probs=1, stream=True), *messages)
    assert [event["completion_probabilities"] for event in events] == [expected, []]


def test_a_sequence_that_the_server_ended_is_a_failure() -> None:
    with pytest.raises(RpcFailure, match="shutting down"):
        feed_all(reply_to(), accepted(), finished(FINISH_REASON_CANCELLED))


@pytest.mark.parametrize("body", [{}, {"stream": True}, {"prompt": ["x", "y"]}, {"n": 2}])
def test_a_stream_without_all_its_last_messages_is_a_failure(body: dict[str, object]) -> None:
    reply = reply_to(**body)
    feed_all(reply, accepted(), delta("x"))
    if len(body) and "stream" not in body:
        feed_all(reply, finished())
    with pytest.raises(RpcFailure, match="before the generation was finished"):
        list(reply.closing_events()) if "stream" in body else reply.result()


def test_progress_comes_in_chunks_without_text() -> None:
    reply = reply_to(stream=True, return_progress=True)
    (event,) = feed_all(reply, accepted(), progress(5))
    assert event["choices"][0]["text"] == ""
    assert event["prompt_progress"] == {"cache": 2, "processed": 5, "time_ms": 12, "total": 9}


def test_times_are_in_all_chunks_and_in_a_whole_answer_if_they_are_wanted() -> None:
    reply = reply_to(stream=True, timings_per_token=True)
    events = feed_all(reply, accepted(), delta(Piece(text="x", timings=timings(decoded=1))), finished())
    assert [event["timings"]["predicted_n"] for event in events] == [1, 2]
    for wanted in (True, False):
        reply = reply_to(timings_per_token=wanted)
        feed_all(reply, accepted(), delta("x"), finished())
        assert ("timings" in reply.result()) is wanted
