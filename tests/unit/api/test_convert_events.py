"""The engine's events to the messages of a stream."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.convert.events import MAX_DELTA_ENTRIES, StreamEncoder, duration
from service.engine.types import (
    Accepted,
    Event,
    Failed,
    Finished,
    FinishReason,
    GenerationRequest,
    Piece,
    Timings,
    TokenRecord,
)
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
ENCODER = StreamEncoder(REQUEST, served_model(), "mine", "run", 9)
ACCEPTED = Accepted(slot_id=1, prompt_tokens=5, cached_prompt_tokens=3, queued_s=0.25, truncated=True)
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


def encode(*events: Event) -> list[generation_pb2.GenerateResponse]:
    """All messages for the events."""
    return list(ENCODER.encode(events))


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
    )


def test_consecutive_pieces_share_a_message_and_stay_apart_in_it() -> None:
    first, delta, last = encode(ACCEPTED, Piece("a"), Piece(""), Piece("b"), FINISHED)
    assert first.WhichOneof("event") == "accepted"
    assert [piece.text for piece in delta.delta.pieces] == ["a", "", "b"]
    assert last.WhichOneof("event") == "finished"


def test_a_token_record_shows_candidates_with_their_bytes() -> None:
    record = TokenRecord(
        id=200,
        piece=b"\xc8",
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


def test_a_logprob_that_was_not_asked_for_is_absent() -> None:
    (message,) = encode(Piece("x", (TokenRecord(id=1, piece=b"\x01"),)))
    assert not message.delta.pieces[0].tokens[0].HasField("logprob")


def test_the_ending_has_counts_times_and_settings() -> None:
    (message,) = encode(FINISHED)
    finished = message.finished
    assert finished.usage == tokens_pb2.Usage(prompt_tokens=5, completion_tokens=4, cached_prompt_tokens=3)
    assert finished.timings == generation_pb2.Timings(
        prompt_tokens=2, prompt_eval=duration(0.5), decoded_tokens=4, decode=duration(1.5)
    )
    assert finished.truncated
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
    messages = ENCODER.encode([ACCEPTED, Piece("a"), Failed(error)])
    assert next(messages).HasField("accepted")
    assert next(messages).delta.pieces[0].text == "a"
    with pytest.raises(CacheExhausted) as caught:
        next(messages)
    assert caught.value is error


def test_a_backlog_is_cut_into_messages_of_bounded_size() -> None:
    candidates = tuple((token, 0.001) for token in range(250))
    record = TokenRecord(id=1, piece=b"\x01", probabilities=candidates)
    messages = encode(*[Piece("a", (record,))] * 200)
    assert len(messages) > 1
    assert sum(len(message.delta.pieces) for message in messages) == 200
    assert max(message.ByteSize() for message in messages) < 1 << 20


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 3)), max_size=50), st.integers(1, 10))
def test_no_piece_is_lost_merged_or_moved(pieces: list[tuple[str, int]], batch: int) -> None:
    record = TokenRecord(id=1, piece=b"\x01")
    events = [Piece(text, (record,) * n_tokens) for text, n_tokens in pieces]
    sent = [
        piece
        for start in range(0, len(events), batch)
        for message in ENCODER.encode(events[start : start + batch])
        for piece in message.delta.pieces
    ]
    assert [(piece.text, len(piece.tokens)) for piece in sent] == pieces


def test_a_message_is_sent_as_soon_as_it_is_large() -> None:
    messages = encode(*[Piece("a")] * MAX_DELTA_ENTRIES)
    assert [len(message.delta.pieces) for message in messages] == [MAX_DELTA_ENTRIES]
