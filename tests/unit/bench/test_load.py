"""Rates over several streams."""

from __future__ import annotations

import pytest

from bench.harness.load import StreamTiming, decode_rate, story_jobs, wall_rate


def test_the_first_token_of_a_stream_is_not_decoded() -> None:
    assert decode_rate([StreamTiming(sent=0.0, first_token=5.0, ended=15.0, n_tokens=101)]) == pytest.approx(10.0)


def test_streams_that_start_one_after_the_other_give_the_rate_of_all_together() -> None:
    early = StreamTiming(sent=0.0, first_token=1.0, ended=11.0, n_tokens=101)
    late = StreamTiming(sent=0.0, first_token=3.0, ended=13.0, n_tokens=101)
    assert decode_rate([early, late]) == pytest.approx(20.0)


def test_the_rate_of_a_burst_counts_all_tokens_and_all_of_its_time() -> None:
    early = StreamTiming(sent=0.0, first_token=1.0, ended=8.0, n_tokens=50)
    late = StreamTiming(sent=1.0, first_token=3.0, ended=10.0, n_tokens=50)
    assert wall_rate([early, late]) == pytest.approx(10.0)


def test_tokens_that_come_together_were_waited_for_once() -> None:
    stream = StreamTiming(0.0, 1.0, 2.0, n_tokens=5, arrivals=(1.0, 1.25, 1.75))
    assert stream.inter_token_ms() == [250.0, 500.0, 0.0, 0.0]


def test_no_story_begins_like_another() -> None:
    prompts = [job.prompt for job in story_jobs(32, n_tokens=1)]
    assert len({prompt.split()[0] for prompt in prompts}) == 32
