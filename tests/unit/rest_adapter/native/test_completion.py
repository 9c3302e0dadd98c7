from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.apis.native.completion.reply import CompletionReply
from rest_adapter.apis.native.completion.reply_2024 import Shape2024
from rest_adapter.apis.native.completion.request import read_completion
from rest_adapter.errors import InvalidRequest, RpcFailure
from rest_adapter.json.encoding import JsonObject, encode
from slotline.v1.generation_pb2 import (
    FINISH_REASON_CANCELLED,
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    OVERFLOW_TRUNCATE,
    Finished,
    FinishReason,
    GenerateRequest,
    GenerateResponse,
    Piece,
)
from slotline.v1.tokens_pb2 import Token
from tests.support.properties import untimed
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

WHOLE_ANSWER = (
    '{"content":" there,","generation_settings":{"dynatemp_exponent":1.0,"dynatemp_range":0.0,"frequency_penalty":0.0,'
    '"grammar":"","ignore_eos":false,"logit_bias":[],"min_keep":0,"min_p":0.05000000074505806,"mirostat":0,'
    '"mirostat_eta":0.10000000149011612,"mirostat_tau":5.0,"model":"m.gguf","n_ctx":512,"n_keep":0,"n_predict":-1,'
    '"n_probs":0,"penalize_nl":true,"penalty_prompt_tokens":[],"presence_penalty":0.0,"repeat_last_n":64,'
    '"repeat_penalty":1.100000023841858,"samplers":["top_k","tfs_z","typical_p","top_p","min_p","temperature"],'
    '"seed":1,"stop":[],"stream":false,"temperature":0.800000011920929,"tfs_z":1.0,"top_k":40,'
    '"top_p":0.949999988079071,"typical_p":1.0,"use_penalty_prompt_tokens":false},"model":"m.gguf","prompt":"Hi",'
    '"slot_id":0,"stop":true,"stopped_eos":false,"stopped_limit":true,"stopped_word":false,"stopping_word":"",'
    '"timings":{"predicted_ms":11.2,"predicted_n":2,"predicted_per_second":178.57142857142858,'
    '"predicted_per_token_ms":5.6,"prompt_ms":20.5,"prompt_n":2,"prompt_per_second":97.5609756097561,'
    '"prompt_per_token_ms":10.25},"tokens_cached":3,"tokens_evaluated":2,"tokens_predicted":2,"truncated":false}'
)


def reply_to(body: dict[str, object]) -> CompletionReply:
    call = read_completion(body)
    return CompletionReply(call, Shape2024(call))


def feed_all(reply: CompletionReply, *responses: GenerateResponse, number: int = 0) -> list[JsonObject]:
    return [plain(event) for response in responses for event in reply.feed(number, response)]


def test_a_request_allows_truncation_and_repeats_the_options_for_every_prompt() -> None:
    call = read_completion({"prompt": ["a", [1, 2]], "top_k": 5, "n_predict": 3})
    assert call.is_multiple
    assert [request.overflow for request in call.requests] == [OVERFLOW_TRUNCATE] * 2
    assert [request.sampling.top_k for request in call.requests] == [5, 5]
    assert [request.stop.max_tokens for request in call.requests] == [3, 3]
    assert [request.WhichOneof("prompt") for request in call.requests] == ["text", "token_ids"]


def test_a_system_prompt_goes_with_one_prompt_only() -> None:
    (request,) = read_completion({"prompt": ["a"], "system_prompt": "P"}).requests
    assert request.system_prompt.prompt == "P"
    with pytest.raises(InvalidRequest, match=r"^system_prompt: cannot be set together with several prompts"):
        read_completion({"prompt": ["a", "b"], "system_prompt": "P"})
    assert read_completion({"prompt": ["a", "b"], "system_prompt": None}).is_multiple


def test_an_empty_body_asks_for_one_blank() -> None:
    call = read_completion({})
    assert call.requests == (GenerateRequest(text=" ", overflow=OVERFLOW_TRUNCATE),)
    assert not call.is_stream
    assert call.timeout_s is None


@pytest.mark.parametrize(("value", "is_stream"), [(True, True), (False, False), (None, False)])
def test_stream(value: object, is_stream: bool) -> None:
    assert read_completion({"prompt": "Hi", "stream": value}).is_stream is is_stream


@pytest.mark.parametrize("value", ["true", 1, 0, []])
def test_stream_refuses_what_is_not_a_boolean(value: object) -> None:
    with pytest.raises(InvalidRequest, match=r"^stream: .* is not true or false$"):
        read_completion({"stream": value})


def test_a_whole_answer_byte_by_byte() -> None:
    reply = reply_to({"prompt": "Hi"})
    assert feed_all(reply, accepted(), delta(" there"), delta(","), finished()) == []
    assert encode(reply.result()).decode() == WHOLE_ANSWER


def test_a_stream_has_one_event_per_piece_and_a_final_object_without_text() -> None:
    reply = reply_to({"prompt": "Hi", "stream": True})
    events = feed_all(reply, accepted(3), delta(" there", ""), delta(","), finished())
    assert [encode(event).decode() for event in events[:-1]] == [
        '{"content":" there","multimodal":false,"slot_id":3,"stop":false}',
        '{"content":"","multimodal":false,"slot_id":3,"stop":false}',
        '{"content":",","multimodal":false,"slot_id":3,"stop":false}',
    ]
    assert encode(events[-1]).decode() == WHOLE_ANSWER.replace('" there,"', '""').replace(
        '"stream":false', '"stream":true'
    )
    assert list(reply.closing_events()) == []


def test_probabilities_travel_with_their_pieces_and_all_of_them_with_the_final_object() -> None:
    reply = reply_to({"prompt": "Hi", "stream": True, "n_probs": 1})
    events = feed_all(
        reply,
        accepted(),
        delta(piece(" there", token(b" there", (b" there", 0.5)))),
        delta(piece(",", token(b"\xe2", (b"\xe2", 0.25)), token(b"\xc3\x28", (b",", 0.0)))),
        finished(),
    )
    first = {"content": " there", "probs": [{"prob": 0.5, "tok_str": " there"}]}
    second = {"content": "byte: \\xe2", "probs": [{"prob": 0.25, "tok_str": "byte: \\xe2"}]}
    third = {"content": "�(", "probs": [{"prob": 0.0, "tok_str": ","}]}
    assert [event["completion_probabilities"] for event in events] == [[first], [second, third], [first, second, third]]


def test_probabilities_of_a_whole_answer() -> None:
    reply = reply_to({"prompt": "Hi", "n_probs": 1})
    feed_all(reply, accepted(), delta(piece("a", token(b"a", (b"a", 1.0)))), stopped_at_eos())
    assert plain(reply.result())["completion_probabilities"] == [
        {"content": "a", "probs": [{"prob": 1.0, "tok_str": "a"}]}
    ]


@pytest.mark.parametrize(
    ("response", "flags"),
    [
        (finished(FINISH_REASON_STOP, eos_token_id=2), (True, False, False, "")),
        (finished(FINISH_REASON_STOP, stop_token_id=9), (True, False, False, "")),
        (finished(FINISH_REASON_STOP, stop_text="###"), (False, False, True, "###")),
        (finished(FINISH_REASON_LENGTH), (False, True, False, "")),
        (finished(FINISH_REASON_LENGTH, eos_token_id=2), (True, True, False, "")),
        (finished(FINISH_REASON_LENGTH, stop_text="x"), (False, True, True, "x")),
    ],
)
def test_how_it_ended(response: GenerateResponse, flags: tuple[bool, bool, bool, str]) -> None:
    reply = reply_to({"prompt": "Hi"})
    feed_all(reply, accepted(), response)
    result = plain(reply.result())
    assert (
        result["stopped_eos"],
        result["stopped_limit"],
        result["stopped_word"],
        result["stopping_word"],
    ) == flags


@pytest.mark.parametrize("prompt", ["Hi", ["Hi"], [1, 2], ["a", 1], [[1, 2]]])
def test_the_prompt_is_repeated_as_received(prompt: object) -> None:
    reply = reply_to({"prompt": prompt})
    feed_all(reply, accepted(), finished())
    assert plain(reply.result())["prompt"] == prompt


def test_an_empty_prompt_is_repeated_as_a_blank() -> None:
    reply = reply_to({"prompt": ""})
    feed_all(reply, accepted(), finished())
    assert plain(reply.result())["prompt"] == " "


def test_results_of_several_prompts_are_in_their_order_whatever_came_first() -> None:
    reply = reply_to({"prompt": ["a", "b"]})
    feed_all(reply, accepted(), delta("B"), finished(), number=1)
    feed_all(reply, accepted(), delta("A"), finished(), number=0)
    results = plain(reply.result())["results"]
    assert [(result["prompt"], result["content"]) for result in results] == [("a", "A"), ("b", "B")]
    assert all("index" not in result for result in results)


def test_events_of_several_prompts_carry_the_number_of_their_prompt() -> None:
    reply = reply_to({"prompt": ["a", "b"], "stream": True})
    events = feed_all(reply, accepted(), delta("B"), finished(), number=1)
    events += feed_all(reply, accepted(), delta("A"), finished(), number=0)
    assert [(event["index"], event["stop"]) for event in events] == [(1, False), (1, True), (0, False), (0, True)]


class TestNewerFields:
    """Fields that the server of 2024 did not know add to its shape, and change nothing else."""

    def test_progress_comes_in_events_of_its_own(self) -> None:
        reply = reply_to({"prompt": "Hi", "stream": True, "return_progress": True})
        events = feed_all(reply, accepted(3), progress(2), progress(9), delta("x"))
        assert events[0] == {
            "content": "",
            "multimodal": False,
            "prompt_progress": {"cache": 2, "processed": 2, "time_ms": 12, "total": 9},
            "slot_id": 3,
            "stop": False,
        }
        assert [event.get("prompt_progress", {}).get("processed") for event in events] == [2, 9, None]

    def test_times_are_in_every_event_and_in_the_form_of_today(self) -> None:
        reply = reply_to({"prompt": "Hi", "stream": True, "timings_per_token": True})
        timed = Piece(text="x", timings=timings(decoded=1))
        events = feed_all(reply, accepted(), delta(timed, "y"), finished())
        assert [event.get("timings", {}).get("cache_n") for event in events] == [3, None, 0]
        assert events[0]["timings"]["predicted_n"] == 1

    def test_token_ids_are_told_with_their_pieces_or_all_at_once(self) -> None:
        pieces = [piece("a", Token(id=7)), piece("", Token(id=8), Token(id=9))]
        whole = reply_to({"prompt": "Hi", "return_tokens": True})
        feed_all(whole, accepted(), delta(*pieces), finished())
        assert plain(whole.result())["tokens"] == [7, 8, 9]
        streamed = reply_to({"prompt": "Hi", "return_tokens": True, "stream": True})
        events = feed_all(streamed, accepted(), delta(*pieces), finished())
        assert [event["tokens"] for event in events] == [[7], [8, 9], []]

    def test_probabilities_after_the_samplers_leave_out_what_these_removed(self) -> None:
        reply = reply_to({"prompt": "Hi", "n_probs": 2, "post_sampling_probs": True})
        drawn = token("é".encode(), ("é".encode(), 0.75), (b"\xc3", 0.25), (b"c", 0.0))
        drawn.probability = 0.75
        feed_all(reply, accepted(), delta(piece("é", drawn)), stopped_at_eos())
        first = {"bytes": [195, 169], "id": 0, "token": "é", "prob": 0.75}
        second = {"bytes": [195], "id": 0, "token": "", "prob": 0.25}
        (entry,) = plain(reply.result())["completion_probabilities"]
        assert entry == {**first, "top_probs": [first, second]}

    def test_response_fields_leave_all_others_out_of_whole_answers_and_last_events(self) -> None:
        body: dict[str, object] = {"prompt": "Hi", "response_fields": ["content", "timings/predicted_n", "nothing"]}
        whole, streamed = reply_to(body), reply_to({**body, "stream": True})
        feed_all(whole, accepted(), delta("x"), finished())
        assert whole.result() == {"content": "x", "timings/predicted_n": 2}
        events = feed_all(streamed, accepted(), delta("x"), finished())
        assert [set(event) for event in events] == [
            {"content", "multimodal", "slot_id", "stop"},
            {"content", "timings/predicted_n"},
        ]

    @pytest.mark.parametrize("name", ["n", "n_cmpl"])
    def test_several_answers_are_results_in_order(self, name: str) -> None:
        reply = reply_to({"prompt": ["a", "b"], name: 2})
        for number in (1, 0):
            feed_all(reply, accepted(), delta(f"{number}1", index=1), finished(index=1), number=number)
            feed_all(reply, delta(f"{number}0", index=0), finished(index=0), number=number)
        results = plain(reply.result())["results"]
        assert [(result["prompt"], result["content"]) for result in results] == [
            ("a", "00"),
            ("a", "01"),
            ("b", "10"),
            ("b", "11"),
        ]

    def test_events_of_several_answers_carry_their_numbers(self) -> None:
        reply = reply_to({"prompt": ["a", "b"], "n": 2, "stream": True})
        events = feed_all(reply, accepted(), delta("x", index=1), finished(index=1), finished(index=0), number=1)
        assert [(event["index"], event["stop"]) for event in events] == [(3, False), (3, True), (2, True)]

    @pytest.mark.parametrize(
        ("body", "n_probs"),
        [({"logprobs": 3}, 3), ({"logprobs": 3, "n_probs": 2}, 2), ({"logprobs": False}, 0), ({"logprobs": -1}, 0)],
    )
    def test_logprobs_is_n_probs_by_another_name(self, body: dict[str, object], n_probs: int) -> None:
        assert read_completion(body).requests[0].output.n_probs == n_probs

    @pytest.mark.parametrize(
        ("body", "name"),
        [
            ({"logprobs": True}, "logprobs"),
            ({"n": 0}, "n"),
            ({"n_cmpl": 129}, "n_cmpl"),
            ({"return_tokens": 1}, "return_tokens"),
            ({"post_sampling_probs": "yes"}, "post_sampling_probs"),
        ],
    )
    def test_other_values_are_refused_by_name(self, body: dict[str, object], name: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            read_completion(body)
        assert caught.value.name == name


def test_timings_without_tokens_are_zero() -> None:
    reply = reply_to({"prompt": "Hi", "n_predict": 0})
    feed_all(reply, accepted(), GenerateResponse(finished=Finished(reason=FINISH_REASON_LENGTH)))
    timings = plain(reply.result())["timings"]
    assert timings == {
        "prompt_n": 0,
        "prompt_ms": 0.0,
        "prompt_per_token_ms": 0.0,
        "prompt_per_second": 0.0,
        "predicted_n": 0,
        "predicted_ms": 0.0,
        "predicted_per_token_ms": 0.0,
        "predicted_per_second": 0.0,
    }


def test_a_sequence_that_the_server_ended_is_a_failure() -> None:
    with pytest.raises(RpcFailure, match="shutting down"):
        feed_all(reply_to({"prompt": "Hi"}), accepted(), finished(FINISH_REASON_CANCELLED))


def test_a_stream_without_its_last_message_is_a_failure() -> None:
    reply = reply_to({"prompt": ["a", "b"]})
    feed_all(reply, accepted(), finished(), number=0)
    feed_all(reply, accepted(), delta("x"), number=1)
    with pytest.raises(RpcFailure, match="before the generation was finished"):
        reply.result()


@untimed
@given(st.lists(st.lists(st.text(max_size=4), max_size=4), max_size=5))
def test_streamed_text_equals_the_whole_text(messages: list[list[str]]) -> None:
    responses = [accepted(), *(delta(*texts) for texts in messages), finished()]
    whole, streamed = reply_to({"prompt": "Hi"}), reply_to({"prompt": "Hi", "stream": True})
    feed_all(whole, *responses)
    events = feed_all(streamed, *responses)
    assert "".join(event["content"] for event in events) == plain(whole.result())["content"]
    assert len(events) == sum(map(len, messages)) + 1


REASONS = [FINISH_REASON_LENGTH, FINISH_REASON_STOP]


@untimed
@given(st.sampled_from(REASONS), st.booleans())
def test_the_final_event_differs_from_the_whole_answer_only_in_content_and_stream(
    reason: FinishReason.ValueType, at_eos: bool
) -> None:
    end = finished(reason, eos_token_id=2 if at_eos else None)
    whole, streamed = reply_to({"prompt": "Hi"}), reply_to({"prompt": "Hi", "stream": True})
    feed_all(whole, accepted(), delta("x"), end)
    final = feed_all(streamed, accepted(), delta("x"), end)[-1]
    expected = plain(whole.result())
    expected["content"] = ""
    expected["generation_settings"]["stream"] = True
    assert final == expected
