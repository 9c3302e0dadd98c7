"""POST /completion in the shape of today: what is asked of the core, whole answers, streams, probabilities."""

from __future__ import annotations

from typing import Any

import pytest

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.native.completion.reply import CompletionReply
from rest_adapter.apis.native.completion.reply_now import ShapeNow
from rest_adapter.apis.native.completion.request import CompletionCall, read_completion, rename_fields
from slotline.v1.generation_pb2 import (
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    OVERFLOW_REFUSE,
    OVERFLOW_TRUNCATE,
    GenerateResponse,
    Piece,
)
from slotline.v1.tokens_pb2 import Token, TokenLogprob, TokenProbability
from tests.unit.rest_adapter.described import described
from tests.unit.rest_adapter.messages import (
    accepted,
    delta,
    finished,
    invalid_argument,
    piece,
    plain,
    progress,
    stopped_at_eos,
    timings,
)

#: Keys of a whole answer.
WHOLE = {
    "content",
    "generation_settings",
    "has_new_line",
    "id_slot",
    "index",
    "model",
    "prompt",
    "stop",
    "stop_type",
    "stopping_word",
    "timings",
    "tokens",
    "tokens_cached",
    "tokens_evaluated",
    "tokens_predicted",
    "truncated",
}
EVENT = {"content", "id_slot", "index", "stop", "tokens", "tokens_evaluated", "tokens_predicted"}


def read(body: dict[str, object]) -> CompletionCall:
    return read_completion({"prompt": "Hi", **body}, shape=ApiShape.NOW)


def reply_to(**body: object) -> CompletionReply:
    call = read(body)
    return CompletionReply(call, ShapeNow(call))


def begun(prompt: str = "<s>Hi") -> GenerateResponse:
    message = accepted(slot_id=1)
    message.accepted.prompt_text = prompt
    return message


def feed(reply: CompletionReply, *responses: GenerateResponse, number: int = 0) -> list[Any]:
    events = [event for response in responses for event in reply.feed(number, response)]
    return [described(event, "CompletionNow" if event["stop"] else "CompletionPieceNow") for event in events]


def whole(*responses: GenerateResponse, **body: object) -> Any:
    reply = reply_to(**body)
    feed(reply, begun(), *responses)
    return described(reply.result(), "CompletionNow")


def test_a_whole_answer() -> None:
    end = finished()
    end.finished.has_line_break = True
    answer = whole(delta("a\n", "b"), end)
    assert set(answer) == WHOLE
    settings = answer.pop("generation_settings")
    assert (settings["n_predict"], settings["stream"], settings["n_probs"]) == (-1, False, 0)
    times = answer.pop("timings")
    assert (times["cache_n"], times["predicted_n"]) == (0, 2)
    assert answer == {
        "content": "a\nb",
        "has_new_line": True,
        "id_slot": 0,
        "index": 0,
        "model": "m.gguf",
        "prompt": "<s>Hi",
        "stop": True,
        "stop_type": "limit",
        "stopping_word": "",
        "tokens": [],
        "tokens_cached": 3,
        "tokens_evaluated": 2,
        "tokens_predicted": 2,
        "truncated": False,
    }


def test_events_have_their_tokens_and_how_many_there_were() -> None:
    reply = reply_to(stream=True)
    pieces = [piece("a", Token(id=7)), piece("b", Token(id=8), Token(id=9))]
    events = feed(reply, begun(), delta(*pieces), finished())
    assert set(events[0]) == EVENT
    assert [(event["tokens"], event["tokens_predicted"]) for event in events] == [([7], 1), ([8, 9], 3), ([], 2)]
    assert [event["id_slot"] for event in events] == [1, 1, 0]
    assert (set(events[-1]), events[-1]["content"]) == (WHOLE, "")


def test_token_ids_of_a_whole_answer_must_be_asked_for() -> None:
    pieces = [piece("a", Token(id=7)), piece("b", Token(id=8))]
    assert whole(delta(*pieces), finished(), return_tokens=True)["tokens"] == [7, 8]
    assert whole(delta(*pieces), finished())["tokens"] == []


def test_progress_and_times_are_told_as_they_come() -> None:
    reply = reply_to(stream=True, return_progress=True, timings_per_token=True)
    events = feed(reply, begun(), progress(9), delta(Piece(text="x", timings=timings(1))), finished())
    assert events[0]["prompt_progress"] == {"cache": 2, "processed": 9, "time_ms": 12, "total": 9}
    told = events[0]["timings"]
    assert (told["cache_n"], told["prompt_n"], told["prompt_ms"], told["predicted_n"]) == (2, 7, 12.9, 0)
    assert events[1]["timings"]["predicted_n"] == 1
    assert events[2]["generation_settings"]["timings_per_token"] is True


@pytest.mark.parametrize(
    ("end", "kind", "word"),
    [
        (stopped_at_eos(), "eos", ""),
        (finished(FINISH_REASON_STOP, stop_text="###"), "word", "###"),
        (finished(FINISH_REASON_LENGTH), "limit", ""),
        (finished(FINISH_REASON_LENGTH, eos_token_id=2), "eos", ""),
        (finished(FINISH_REASON_LENGTH, stop_text="x"), "word", "x"),
    ],
)
def test_one_word_says_why_it_ended(end: GenerateResponse, kind: str, word: str) -> None:
    answer = whole(end)
    assert (answer["stop_type"], answer["stopping_word"]) == (kind, word)


def test_several_answers_are_an_array_and_their_events_are_numbered() -> None:
    reply = reply_to(prompt=["a", "b"], n=2)
    for number in (1, 0):
        feed(reply, begun(str(number)), finished(index=1), finished(index=0), number=number)
    shown = plain(reply.result())
    assert [(answer["index"], answer["prompt"]) for answer in shown] == [(0, "0"), (1, "0"), (2, "1"), (3, "1")]
    events = feed(reply_to(prompt=["a", "b"], stream=True), begun(), delta("x"), finished(), number=1)
    assert [event["index"] for event in events] == [1, 1]


def test_probabilities_are_those_before_the_samplers() -> None:
    call = read({"n_probs": 2})
    assert (call.requests[0].output.n_probs, call.requests[0].output.top_logprobs) == (0, 2)
    others = [TokenLogprob(id=7, piece=b"a", logprob=-0.5), TokenLogprob(id=8, piece=b"\xc3", logprob=float("-inf"))]
    token = Token(id=7, piece=b"a", logprob=-0.5, top_logprobs=others)
    answer = whole(delta(piece("a", token)), finished(), n_probs=2)
    assert answer["generation_settings"]["n_probs"] == 2
    first = {"bytes": [97], "id": 7, "logprob": -0.5, "token": "a"}
    # JSON has no infinity.
    second = {"bytes": [195], "id": 8, "logprob": -3.4028234663852886e38, "token": ""}
    assert answer["completion_probabilities"] == [{**first, "top_logprobs": [first, second]}]


def test_probabilities_behind_the_samplers_must_be_asked_for() -> None:
    call = read({"n_probs": 2, "post_sampling_probs": True})
    assert (call.requests[0].output.n_probs, call.requests[0].output.HasField("top_logprobs")) == (2, False)
    others = [TokenProbability(id=7, piece=b"a", probability=0.75), TokenProbability(id=8, piece=b"b")]
    token = Token(id=7, piece=b"a", probability=0.75, probabilities=others)
    reply = reply_to(n_probs=2, post_sampling_probs=True, stream=True)
    event, last = feed(reply, begun(), delta(piece("a", token)), finished())
    first = {"bytes": [97], "id": 7, "prob": 0.75, "token": "a"}
    assert event["completion_probabilities"] == [{**first, "top_probs": [first]}]
    assert "completion_probabilities" not in last


def test_errors_about_probabilities_name_the_field_of_the_body() -> None:
    failure = invalid_argument("output.top_logprobs")
    for name in ("n_probs", "logprobs"):
        assert rename_fields(failure, read({name: 2})).violations[0][0] == name


def test_what_does_not_fit_is_refused_unless_the_body_says_otherwise() -> None:
    assert read({}).requests[0].overflow == OVERFLOW_REFUSE
    assert read({"truncate": True}).requests[0].overflow == OVERFLOW_TRUNCATE


def test_response_fields_are_those_of_the_shape() -> None:
    reply = reply_to(response_fields=["stop_type", "stopped_limit", "generation_settings/n_predict"])
    feed(reply, begun(), finished())
    assert reply.result() == {"stop_type": "limit", "generation_settings/n_predict": -1}
