"""The objects ``timings`` and ``prompt_progress``."""

from __future__ import annotations

from rest_adapter.apis.common.timings import prompt_progress, timings_2024, timings_now
from slotline.v1.generation_pb2 import Timings
from tests.unit.rest_adapter.messages import progress, timings


def test_the_times_of_2024_count_all_tokens() -> None:
    assert timings_2024(timings(decoded=4)) == {
        "prompt_n": 2,
        "prompt_ms": 20.5,
        "prompt_per_token_ms": 10.25,
        "prompt_per_second": 2000 / 20.5,
        "predicted_n": 4,
        "predicted_ms": 10.0,
        "predicted_per_token_ms": 2.5,
        "predicted_per_second": 400.0,
    }


def test_the_times_of_today_know_what_was_cached_and_leave_the_first_token_out_of_the_rate() -> None:
    told = timings_now(timings(decoded=5))
    assert (told["cache_n"], told["prompt_n"], told["predicted_n"]) == (3, 2, 5)
    assert (told["predicted_per_token_ms"], told["predicted_per_second"]) == (2.5, 400.0)


def test_times_without_tokens_are_zero() -> None:
    assert set(timings_now(Timings()).values()) == {0}
    assert timings_now(timings(decoded=1))["predicted_per_second"] == 0.0


def test_drafts_are_counted_where_there_were_any() -> None:
    drafted = Timings(draft_tokens=8, draft_accepted=0)
    for form in (timings_2024, timings_now):
        assert form(drafted).items() >= {"draft_n": 8, "draft_n_accepted": 0}.items()
        assert "draft_n" not in form(Timings())


def test_progress_is_in_whole_milliseconds() -> None:
    told = prompt_progress(progress(5, total=9, cached=2).progress)
    assert told == {"total": 9, "cache": 2, "processed": 5, "time_ms": 12}
