"""Results, and what is kept of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench.harness.errors import BenchError
from bench.harness.report import Figure, Goal, Point, Result, join, read_json, to_json

if TYPE_CHECKING:
    from pathlib import Path

RESULT = Result(
    "decode",
    "a title",
    (
        Figure("rate", "tokens/s", (150.0, 160.0, 155.5), column="engine"),
        Figure("rate", "", (0.93, 0.97, 0.96), Goal("at least", 0.95), None, "engine", "peer"),
        Figure("added", "ms", (7.0,), Goal("at most", 5.0), Point("added by streams", "REST", 4)),
    ),
    ("one round was measured again",),
    "a table",
    ("peer, 8 streams: gone",),
)


def test_a_figure_is_named_after_what_whose_and_against_whom() -> None:
    assert [figure.name for figure in RESULT.figures] == ["rate: engine", "rate: engine / peer", "added"]


def test_json_keeps_every_sample_and_the_conditions() -> None:
    document = json.loads(to_json([RESULT], {"processor": "two cores"}))
    assert document["conditions"] == {"processor": "two cores"}
    engine, ratio, added = document["results"][0]["figures"]
    assert engine["samples"] == [150.0, 160.0, 155.5]
    assert (engine["goal"], engine["goal_met"]) == (None, None)
    assert (ratio["goal"], ratio["goal_met"]) == ({"relation": "at least", "limit": 0.95}, True)
    assert (ratio["name"], ratio["point"]) == ("rate: engine / peer", None)
    assert added["goal_met"] is False
    assert added["point"] == {"plot": "added by streams", "line": "REST", "x": 4}


def test_json_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    file.write_text(to_json([RESULT], {"processor": "two cores"}))
    assert read_json(file) == ([RESULT], {"processor": "two cores"})


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"results": [{}], "conditions": {}}'])
def test_a_file_of_something_else_is_refused_by_its_name(text: str, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(BenchError, match=r"other\.json was not written by this version"):
        read_json(file)


def test_parts_of_a_scenario_become_one_and_say_equal_notes_once() -> None:
    joined = join("decode", "both", [RESULT, RESULT])
    assert joined.title == "both"
    assert joined.figures == RESULT.figures * 2
    assert joined.notes == RESULT.notes
    assert joined.failures == RESULT.failures * 2


@pytest.mark.parametrize(
    ("goal", "value", "is_met"),
    [
        (Goal("at least", 2.0), 2.0, True),
        (Goal("at least", 2.0), 1.9, False),
        (Goal("at most", 2.0), 2.0, True),
        (Goal("at most", 2.0), 2.1, False),
    ],
)
def test_a_goal_includes_its_limit(goal: Goal, value: float, is_met: bool) -> None:
    assert goal.is_met(value) is is_met
