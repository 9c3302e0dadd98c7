from __future__ import annotations

import pytest

from bench.harness.errors import BenchError
from bench.harness.tracing.hops import HOPS, Hop, Passage, Request, follow
from bench.harness.tracing.points import POINTS
from bench.harness.tracing.recorder import Mark
from bench.harness.tracing.table import render_hops, shares

MS = 1_000_000
WAY = (Hop("there", "come"), Hop("work", "worked"), Hop("back", ""))


def mark(at_ms: int, thread: int = 1, cpu_ms: int = 0, ready_ms: int = 0) -> Mark:
    return Mark(at_ms * MS, thread, cpu_ms * MS, ready_ms * MS)


def request(sent_ms: int, arrived_ms: int) -> Request:
    return Request(sent_ms * MS, arrived_ms * MS)


def test_a_request_is_followed_from_mark_to_mark() -> None:
    marks = {"come": [mark(1), mark(12, 1, 5, 2), mark(31)], "worked": [mark(4), mark(17, 1, 8, 3), mark(35)]}
    assert follow(WAY, request(10, 20), marks) == [Passage(2), Passage(5, 3, 1), Passage(3)]


def test_processor_time_is_known_within_one_thread_only() -> None:
    marks = {"come": [mark(12, thread=1, cpu_ms=5)], "worked": [mark(17, thread=2, cpu_ms=9)]}
    assert follow(WAY, request(10, 20), marks)[1] == Passage(5)


@pytest.mark.parametrize("worked", [[], [mark(11)], [mark(25)]], ids=["never", "before", "too late"])
def test_a_missing_mark_is_named(worked: list[Mark]) -> None:
    with pytest.raises(BenchError, match="the end of 'work': no mark 'worked'"):
        follow(WAY, request(10, 20), {"come": [mark(12)], "worked": worked})


def test_shares_sum_to_the_whole() -> None:
    requests = [[Passage(1), Passage(3)], [Passage(8), Passage(8)]]
    assert shares(requests) == [0.375, 0.625]


def test_hops_end_with_marks_that_are_made() -> None:
    made = {process: [point.mark for point in points] for process, points in POINTS.items()}
    everywhere = [name for names in made.values() for name in names]
    assert len(everywhere) == len(set(everywhere))
    assert [hop.end for hop in HOPS["gRPC"]] == [*made["core"], ""]
    assert sorted(hop.end for hop in HOPS["REST"]) == sorted([*everywhere, ""])


def test_a_table_has_a_line_for_each_hop_and_the_whole() -> None:
    slow = [[Passage(1), Passage(3, 2.5, 0.5), Passage(1)]]
    fast = [[Passage(0.5), Passage(2, 2, 0), Passage(0)], [Passage(0.5), Passage(1, 1, 0), Passage(1)]]
    assert render_hops(WAY, {"slow": slow, "fast": fast}) == [
        "           slow (n=1):                                fast (n=2):",
        "           median    p90    share    CPU  ready  median    p90    share    CPU  ready",
        "there       1.000  1.000   20.0 %                 0.500  0.500   20.0 %",
        "work        3.000  3.000   60.0 %  2.500  0.500   1.500  1.900   60.0 %  1.500  0.000",
        "back        1.000  1.000   20.0 %                 0.500  0.900   20.0 %",
        "the whole   5.000  5.000  100.0 %                 2.500  2.500  100.0 %",
    ]
