"""The engine's events to the messages of a stream."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.convert.events import MAX_DELTA_ENTRIES, StreamEncoder, duration
from service.engine.request.events import (
    Accepted,
    Event,
    Failed,
    Finished,
    FinishReason,
    Piece,
    PromptProgress,
    PromptTokens,
    Timings,
    TokenRecord,
    ToolDelta,
)
from service.engine.request.requests import GenerationRequest
from service.errors import CacheExhausted
from service.sampling.settings import SamplingSettings
from slotline.v1 import generation_pb2, tokens_pb2
from tests.support.served import served_model

REQUEST = GenerationRequest(
    prompt=(1, 2),
    sampling=SamplingSettings(penalty_prompt=(5, 6), logit_bias=((7, 1.0),), n_probs=3),
    stop_texts=("é".encode(),),
    cache_prompt=False,
)
ACCEPTED = Accepted(slot_id=1, prompt_tokens=5, cached_prompt_tokens=3, queued_s=0.25, truncated_prompt_tokens=7)
FINISHED = Finished(
    reason=FinishReason.LENGTH,
    stop_text=None,
    stop_token=None,
    eos_token=None,
    truncated=True,
    tokens_evaluated=5,
    tokens_predicted=4,
    tokens_cached=8,
    cached_prompt_tokens=3,
    n_keep=2,
    seed=42,
    max_tokens=4,
    slot_id=1,
    timings=Timings(prompt_tokens=2, prompt_s=0.5, decoded_tokens=4, decode_s=1.5),
)


def encoder() -> StreamEncoder:
    """An encoder of a stream that has not begun."""
    return StreamEncoder(REQUEST, served_model(), "mine", "run", 9)


def encode(*events: Event) -> list[generation_pb2.GenerateResponse]:
    """All messages for the events."""
    return list(encoder().encode(events))


def test_times_of_zero_are_told() -> None:
    accepted, finished = encode(replace(ACCEPTED, queued_s=0.0), replace(FINISHED, timings=Timings(0, 0.0, 0, 0.0)))
    assert accepted.accepted.HasField("queued")
    assert finished.finished.HasField("timings")
    assert finished.finished.timings.HasField("prompt_eval")
    assert finished.finished.timings.HasField("decode")


def test_acceptance_tells_who_answers_and_where() -> None:
    (message,) = encode(ACCEPTED)
    assert message.accepted == generation_pb2.Accepted(
        request_id="mine",
        model="scripted",
        instance_id="run",
        task_id=9,
        slot_id=1,
        prompt_tokens=5,
        cached_prompt_tokens=3,
        queued=duration(0.25),
        truncated=True,
        truncated_prompt_tokens=7,
    )


def test_a_prompt_of_which_nothing_was_left_out_is_not_truncated() -> None:
    (message,) = encode(replace(ACCEPTED, truncated_prompt_tokens=0))
    assert not message.accepted.truncated


def test_consecutive_pieces_share_a_message_and_stay_apart_in_it() -> None:
    first, delta, last = encode(ACCEPTED, Piece("a"), Piece(""), Piece("b"), FINISHED)
    assert first.WhichOneof("event") == "accepted"
    assert [piece.text for piece in delta.delta.pieces] == ["a", "", "b"]
    assert last.WhichOneof("event") == "finished"


def test_a_token_record_shows_candidates_with_their_bytes() -> None:
    record = TokenRecord(
        id=200,
        token_bytes=b"\xc8",
        probabilities=((200, 0.75), (257, 0.25)),
        logprob=-0.5,
        top_logprobs=((200, -0.5),),
    )
    ((token,),) = [piece.tokens for message in encode(Piece("x", (record,))) for piece in message.delta.pieces]
    assert token == tokens_pb2.Token(
        id=200,
        piece=b"\xc8",
        logprob=-0.5,
        top_logprobs=[tokens_pb2.TokenLogprob(id=200, piece=b"\xc8", logprob=-0.5)],
        probabilities=[
            tokens_pb2.TokenProbability(id=200, piece=b"\xc8", probability=0.75),
            # A control token has no bytes.
            tokens_pb2.TokenProbability(id=257, probability=0.25),
        ],
    )


def test_the_tokens_of_a_prompt_have_names_and_ranks() -> None:
    first = TokenRecord(id=256, token_bytes=b"")
    second = TokenRecord(id=120, token_bytes=b"x", logprob=-2.5, top_logprobs=((257, -0.5),), rank=3)
    accepted, prompt, last = encode(ACCEPTED, PromptTokens((first, second)), FINISHED)
    assert (accepted.WhichOneof("event"), last.WhichOneof("event")) == ("accepted", "finished")
    assert list(prompt.prompt.tokens) == [
        tokens_pb2.Token(id=256, piece=b"<bos>"),
        tokens_pb2.Token(
            id=120,
            piece=b"x",
            logprob=-2.5,
            top_logprobs=[tokens_pb2.TokenLogprob(id=257, piece=b"<eos>", logprob=-0.5)],
            rank=3,
        ),
    ]


def test_the_probability_of_a_token_stands_beside_those_of_candidates() -> None:
    record = TokenRecord(id=1, token_bytes=b"\x01", probabilities=((2, 0.75),), probability=0.25)
    (message,) = encode(Piece("x", (record,)))
    assert message.delta.pieces[0].tokens[0].probability == 0.25


def test_progress_is_a_message_of_its_own() -> None:
    (message,) = encode(PromptProgress(total=9, cached=2, processed=5, elapsed_s=0.5))
    assert message.progress == generation_pb2.PromptProgress(total=9, cached=2, processed=5, elapsed=duration(0.5))


def test_pieces_and_parts_of_calls_have_the_times_that_came_with_them() -> None:
    timings = Timings(2, 0.5, 3, 1.5, cached_tokens=7, draft_tokens=4, draft_accepted=1)
    (message,) = encode(Piece("a", timings=timings), Piece("b"), ToolDelta(0, arguments="{}", timings=timings))
    told = generation_pb2.Timings(
        prompt_tokens=2,
        prompt_eval=duration(0.5),
        decoded_tokens=3,
        decode=duration(1.5),
        cached_prompt_tokens=7,
        draft_tokens=4,
        draft_accepted=1,
    )
    first, second = message.delta.pieces
    assert first.timings == message.delta.tool_deltas[0].timings == told
    assert not second.HasField("timings")


def test_a_logprob_that_was_not_asked_for_is_absent() -> None:
    (message,) = encode(Piece("x", (TokenRecord(id=1, token_bytes=b"\x01"),)))
    assert not message.delta.pieces[0].tokens[0].HasField("logprob")


def test_the_ending_has_counts_times_and_settings() -> None:
    finished = encode(ACCEPTED, FINISHED)[-1].finished
    assert finished.usage == tokens_pb2.Usage(
        prompt_tokens=5, completion_tokens=4, cached_prompt_tokens=3, truncated_prompt_tokens=7
    )
    assert finished.timings == generation_pb2.Timings(
        prompt_tokens=2, prompt_eval=duration(0.5), decoded_tokens=4, decode=duration(1.5)
    )
    assert finished.truncated
    assert not finished.has_line_break
    assert (finished.tokens_evaluated, finished.tokens_predicted, finished.tokens_cached) == (5, 4, 8)
    assert finished.slot_id == 1
    settings = finished.settings
    assert settings.sampling.seed == 42
    assert list(settings.penalty_prompt_token_ids) == [5, 6]
    assert dict(settings.logit_bias) == {7: 1.0}
    assert settings.max_tokens == 4
    assert settings.n_keep == 2
    assert settings.n_ctx == 64
    assert list(settings.stop_texts) == ["é"]
    assert settings.n_probs == 3
    assert settings.grammar == ""
    assert not settings.cache_prompt


def test_an_ending_without_a_limit_has_none_in_its_settings() -> None:
    (message,) = encode(replace(FINISHED, max_tokens=None))
    assert not message.finished.settings.HasField("max_tokens")


@pytest.mark.parametrize(
    ("changes", "reason", "match", "value"),
    [
        ({"reason": FinishReason.LENGTH}, generation_pb2.FINISH_REASON_LENGTH, None, None),
        ({"reason": FinishReason.CANCELLED}, generation_pb2.FINISH_REASON_CANCELLED, None, None),
        (
            {"reason": FinishReason.STOP, "stop_text": "é".encode()},
            generation_pb2.FINISH_REASON_STOP,
            "stop_text",
            "é",
        ),
        ({"reason": FinishReason.STOP, "stop_token": 0}, generation_pb2.FINISH_REASON_STOP, "stop_token_id", 0),
        ({"reason": FinishReason.STOP, "eos_token": 0}, generation_pb2.FINISH_REASON_STOP, "eos_token_id", 0),
        ({"reason": FinishReason.LENGTH, "eos_token": 257}, generation_pb2.FINISH_REASON_LENGTH, "eos_token_id", 257),
    ],
)
def test_the_ending_tells_why_and_what_matched(
    changes: dict[str, Any], reason: int, match: str | None, value: object
) -> None:
    (message,) = encode(replace(FINISHED, **changes))
    assert message.finished.reason == reason
    assert message.finished.WhichOneof("match") == match
    if match is not None:
        assert getattr(message.finished, match) == value


def test_a_failure_is_raised_after_everything_that_came_before_it() -> None:
    error = CacheExhausted("no cells")
    messages = encoder().encode([ACCEPTED, Piece("a"), Failed(error)])
    assert next(messages).HasField("accepted")
    assert next(messages).delta.pieces[0].text == "a"
    with pytest.raises(CacheExhausted) as caught:
        next(messages)
    assert caught.value is error


def test_a_backlog_is_cut_into_messages_of_bounded_size() -> None:
    candidates = tuple((token, 0.001) for token in range(250))
    record = TokenRecord(id=1, token_bytes=b"\x01", probabilities=candidates)
    messages = encode(*[Piece("a", (record,))] * 200)
    assert len(messages) > 1
    assert sum(len(message.delta.pieces) for message in messages) == 200
    assert max(message.ByteSize() for message in messages) < 1 << 20


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 3)), max_size=50), st.integers(1, 10))
def test_no_piece_is_lost_merged_or_moved(pieces: list[tuple[str, int]], batch: int) -> None:
    record = TokenRecord(id=1, token_bytes=b"\x01")
    events = [Piece(text, (record,) * n_tokens) for text, n_tokens in pieces]
    stream = encoder()
    sent = [
        piece
        for start in range(0, len(events), batch)
        for message in stream.encode(events[start : start + batch])
        for piece in message.delta.pieces
    ]
    assert [(piece.text, len(piece.tokens)) for piece in sent] == pieces


class TestSeveralSequences:
    """Events of several sequences in one stream."""

    def test_pieces_of_one_sequence_share_a_message(self) -> None:
        events = [Piece("a", index=0), Piece("x", index=2), Piece("b", index=0), Piece("y", index=2)]
        sent = [(message.delta.index, [piece.text for piece in message.delta.pieces]) for message in encode(*events)]
        assert sent == [(0, ["a", "b"]), (2, ["x", "y"])]

    def test_every_sequence_ends_after_its_text_and_usage_comes_last_with_the_prompt_counted_once(self) -> None:
        first, text, ended, rest, last = encode(
            ACCEPTED,
            Piece("a", index=1),
            replace(FINISHED, index=1, is_last=False, tokens_predicted=3, cached_prompt_tokens=5, seed=43),
            Piece("b", index=0),
            replace(FINISHED, index=0, is_last=True, tokens_predicted=4),
        )
        assert first.HasField("accepted")
        assert (text.delta.index, rest.delta.index) == (1, 0)
        assert (ended.finished.index, last.finished.index) == (1, 0)
        assert not ended.finished.HasField("usage")
        assert last.finished.usage == tokens_pb2.Usage(
            prompt_tokens=5, completion_tokens=7, cached_prompt_tokens=3, truncated_prompt_tokens=7
        )
        assert (ended.finished.tokens_predicted, last.finished.tokens_predicted) == (3, 4)
        assert (ended.finished.settings.sampling.seed, last.finished.settings.sampling.seed) == (43, 42)

    def test_usage_is_summed_over_batches_of_events(self) -> None:
        stream = encoder()
        batches: list[list[Event]] = [
            [ACCEPTED],
        ]
        batches += [[replace(FINISHED, index=index, is_last=index == 9, tokens_predicted=index)] for index in range(10)]
        messages = [message for events in batches for message in stream.encode(events)]
        assert [message.finished.HasField("usage") for message in messages] == [*[False] * 10, True]
        assert messages[-1].finished.usage.completion_tokens == sum(range(10))

    @given(st.lists(st.tuples(st.integers(0, 3), st.text(max_size=2)), max_size=50), st.integers(1, 20))
    def test_no_piece_changes_its_sequence_or_its_place_in_it(self, pieces: list[tuple[int, str]], batch: int) -> None:
        stream = encoder()
        events = [Piece(text, index=index) for index, text in pieces]
        sent = [
            (message.delta.index, piece.text)
            for start in range(0, len(events), batch)
            for message in stream.encode(events[start : start + batch])
            for piece in message.delta.pieces
        ]
        for index in range(4):
            assert [text for number, text in sent if number == index] == [
                text for number, text in pieces if number == index
            ]

    def test_together_they_are_bounded_too(self) -> None:
        events = [Piece("a", index=number % 100) for number in range(3 * MAX_DELTA_ENTRIES)]
        messages = encode(*events)
        assert sum(len(message.delta.pieces) for message in messages) == len(events)
        assert len(messages) == 300


def test_a_message_is_sent_as_soon_as_it_is_large() -> None:
    messages = encode(*[Piece("a")] * MAX_DELTA_ENTRIES)
    assert [len(message.delta.pieces) for message in messages] == [MAX_DELTA_ENTRIES]
