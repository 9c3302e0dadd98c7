"""How results are shown."""

from __future__ import annotations

import json

import pytest

from bench.harness.report import Figure, Goal, Point, Result, render_table, to_json

RESULT = Result(
    "decode",
    "a title",
    (
        Figure("engine", "tokens/s", (150.0, 160.0, 155.5)),
        Figure("engine / peer", "", (0.93, 0.97, 0.96), Goal("at least", 0.95)),
        Figure("added", "ms", (7.0,), Goal("at most", 5.0)),
    ),
    ("one round was measured again",),
)


def test_the_table_has_median_range_and_verdict_of_every_figure() -> None:
    title, header, *rows, note = render_table(RESULT).splitlines()
    assert title == "decode: a title"
    assert header.split() == ["median", "low", "high", "n", "unit", "goal"]
    assert [row.split() for row in rows] == [
        ["engine", "155.5", "150.0", "160.0", "3", "tokens/s"],
        ["engine", "/", "peer", "0.96", "0.93", "0.97", "3", "at", "least", "0.95:", "met"],
        ["added", "7.00", "7.00", "7.00", "1", "ms", "at", "most", "5:", "MISSED"],
    ]
    assert note.strip() == "note: one round was measured again"


def test_columns_of_the_table_are_aligned() -> None:
    _, header, *rows, _ = render_table(RESULT).splitlines()
    end_of_median = header.index("median") + len("median")
    assert [row[:end_of_median].split()[-1] for row in rows] == ["155.5", "0.96", "7.00"]


def test_json_keeps_every_sample_and_the_conditions() -> None:
    document = json.loads(to_json([RESULT], {"processor": "two cores"}))
    assert document["conditions"] == {"processor": "two cores"}
    engine, ratio, added = document["results"][0]["figures"]
    assert engine["samples"] == [150.0, 160.0, 155.5]
    assert (engine["goal"], engine["goal_met"]) == (None, None)
    assert (ratio["goal"], ratio["goal_met"]) == ({"relation": "at least", "limit": 0.95}, True)
    assert added["goal_met"] is False


def test_json_has_the_place_of_a_figure_on_its_curve() -> None:
    figures = (Figure("rate", "tokens/s", (1.0,), None, Point("rate by streams", "REST", 4)), Figure("a", "", (2.0,)))
    on_curve, alone = json.loads(to_json([Result("scaling", "a title", figures)], {}))["results"][0]["figures"]
    assert on_curve["point"] == {"plot": "rate by streams", "line": "REST", "x": 4}
    assert alone["point"] is None


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
