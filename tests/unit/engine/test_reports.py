"""What a request may have told beside text: how far its prompt is, the times so far, drafts, line breaks."""

from __future__ import annotations

import pytest

from service.config import EngineConfig, Lookup
from service.engine.request.events import Accepted, Finished, FinishReason, Piece, PromptProgress
from tests.support.engine import EngineBench, RecordingSink, request

#: A prompt that takes several steps.
LONG = "p" * 60
SMALL_BATCH = EngineConfig(n_slots=2, n_ctx_slot=128, n_batch=16)


def progress_of(sink: RecordingSink) -> list[PromptProgress]:
    """What was told about the prompt."""
    return [event for event in sink.events if isinstance(event, PromptProgress)]


def test_progress_is_told_from_the_slot_on_to_the_end_of_the_prompt() -> None:
    sink = EngineBench(SMALL_BATCH).complete(request(LONG, want_progress=True))

    told = progress_of(sink)
    assert isinstance(sink.events[0], Accepted)
    assert sink.events[1 : 1 + len(told)] == told
    assert (told[0].processed, told[0].elapsed_s) == (0, 0.0)
    assert [event.processed for event in told] == [0, 16, 32, 48, 60]
    assert {(event.total, event.cached) for event in told} == {(60, 0)}
    assert [event.elapsed_s for event in told] == sorted({event.elapsed_s for event in told})


def test_what_was_cached_counts_as_processed_from_the_beginning() -> None:
    bench = EngineBench(SMALL_BATCH)
    bench.complete(request(LONG))

    told = progress_of(bench.complete(request(LONG + "more", want_progress=True)))

    assert [(event.cached, event.processed, event.total) for event in told] == [(60, 60, 64), (60, 64, 64)]


def test_a_prompt_that_is_all_known_is_told_as_processed() -> None:
    bench = EngineBench(SMALL_BATCH)
    bench.complete(request(LONG))

    told = progress_of(bench.complete(request(LONG, want_progress=True)))

    assert [(event.cached, event.processed, event.total) for event in told] == [(59, 59, 60), (59, 60, 60)]


def test_progress_is_told_once_for_all_sequences_and_only_to_who_asks() -> None:
    bench = EngineBench(SMALL_BATCH)
    assert len(progress_of(bench.complete(request(LONG, want_progress=True, n_sequences=3, max_tokens=2)))) == 5
    assert not progress_of(bench.complete(request(LONG + "x")))


def test_a_prompt_alone_is_told_to_its_end() -> None:
    told = progress_of(EngineBench(SMALL_BATCH).complete(request(LONG, want_progress=True, max_tokens=0)))
    assert told[-1].processed == told[-1].total == 60


def test_pieces_have_the_times_so_far_if_they_are_wanted() -> None:
    bench = EngineBench()
    sink = bench.complete(request(want_timings=True, max_tokens=4))

    pieces = [event for event in sink.events if isinstance(event, Piece)]
    timings = [piece.timings for piece in pieces if piece.timings is not None]
    assert [timing.decoded_tokens for timing in timings] == [1, 2, 3, 4]
    assert timings[0].decode_s == 0.0
    assert timings[0].prompt_s > 0.0
    assert timings[-1] == sink.finished.timings
    plain = bench.complete(request("other"))
    assert not any(event.timings for event in plain.events if isinstance(event, Piece))


def test_timings_tell_what_was_cached() -> None:
    bench = EngineBench()
    bench.complete(request(LONG))
    timings = bench.complete(request(LONG + "more")).finished.timings
    assert (timings.prompt_tokens, timings.cached_tokens) == (4, 60)


def test_drafts_are_counted_for_the_request_they_are_tried_for() -> None:
    config = EngineConfig(n_slots=2, n_ctx_slot=512, lookup=Lookup.ON)
    bench = EngineBench(config, script=lambda tokens: tokens[-12], token_s=0.0001)

    timings = bench.complete(request("abcdefghijkl", max_tokens=60)).finished.timings

    counters = bench.engine.snapshot().counters
    assert (timings.draft_tokens, timings.draft_accepted) == (counters.drafted_tokens, counters.accepted_tokens)
    assert timings.draft_tokens >= timings.draft_accepted > 0
    assert EngineBench().complete(request()).finished.timings.draft_tokens == 0


def test_a_sequence_ends_by_limit_at_a_line_that_is_not_indented() -> None:
    said = b"a\n  b\nc and so on"
    bench = EngineBench(script=lambda tokens: said[len(tokens) - 5])

    sink = bench.complete(request(min_indent=2, max_tokens=12))

    assert sink.text == "a\n  b\n"
    assert sink.finished.reason is FinishReason.LENGTH
    assert sink.finished.tokens_predicted == len("a\n  b\nc")


def test_what_is_cut_off_hides_a_stop_text_behind_it() -> None:
    said = b"a\n  b\nc and so on"
    bench = EngineBench(script=lambda tokens: said[len(tokens) - 5])

    finished = bench.complete(request(min_indent=2, stop_texts=(b"c",), max_tokens=12)).finished

    assert (finished.reason, finished.stop_text) == (FinishReason.STOP, b"c")
    finished = bench.complete(request(min_indent=2, stop_texts=(b"\nc",), include_match=True, max_tokens=12)).finished
    assert (finished.reason, finished.stop_text) == (FinishReason.LENGTH, None)


def test_a_time_limit_ends_a_sequence_with_its_line() -> None:
    said = b"one\ntwo\nthree\nfour"
    bench = EngineBench(script=lambda tokens: said[len(tokens) - 5], step_s=0.01, token_s=0.0)

    sink = bench.complete(request(line_limit_s=0.05, max_tokens=18))

    assert sink.text == "one\ntwo\n"
    assert sink.finished.reason is FinishReason.LENGTH


@pytest.mark.parametrize(("said", "has_break"), [(b"one two three", False), (b"one\ntwo three", True)])
def test_the_end_tells_whether_there_was_a_line_break(said: bytes, has_break: bool) -> None:
    bench = EngineBench(script=lambda tokens: said[len(tokens) - 5])
    finished = bench.complete(request(max_tokens=8)).finished
    assert isinstance(finished, Finished)
    assert finished.has_line_break is has_break
