"""How results are shown, in the terminal and in docs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bench.harness.report import Figure, Goal, Result, to_json
from bench.harness.tables import render_misses, render_result
from bench.report import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LEAST, MOST = Goal("at least", 1.0), Goal("at most", 150.0)
STREAMS = Result(
    "streams",
    "a title",
    (
        Figure("decoding, 8 streams", "tokens/s", (560.0, 550.0, 540.0), column="REST"),
        Figure("decoding, 8 streams", "tokens/s", (500.0, 500.0, 540.0), column="llama-server"),
        Figure("decoding, 8 streams", "", (1.12, 1.1, 1.0), LEAST, None, "REST", "llama-server"),
        Figure("longest gap", "ms", (1234.5,), MOST, None, "REST"),
        Figure("longest gap", "", (0.98,), LEAST, None, "REST", "llama-server"),
        Figure("RSS above llama-server", "MB", (7.0, 8.0, 9.0), Goal("at most", 5.0)),
    ),
    ("one round was measured again",),
    failures=("llama-server, 16 streams: gone",),
)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_what_was_compared_is_a_row_with_a_column_for_everybody_and_for_the_ratios() -> None:
    lines = render_result(STREAMS).splitlines()
    assert lines[:4] == ["## streams", "", "a title", ""]
    assert [_cells(line) for line in lines[4:8] if "---" not in line] == [
        ["", "REST", "llama-server", "REST / llama-server", "goal"],
        ["decoding, 8 streams, tokens/s", "550", "500", "1.10 (1.00 to 1.12)", "ratio at least 1"],
        ["longest gap, ms", "**1,234**", "", "**0.98**", "at most 150; ratio at least 1"],
    ]


def test_ratios_without_goals_are_shown_where_none_has_one() -> None:
    grpc = Figure("rate", "", (0.5,), None, None, "gRPC", "peer")
    rest = Figure("rate", "", (0.75,), LEAST, None, "REST", "peer")
    assert "gRPC" in render_result(Result("a", "", (grpc,)))
    assert "gRPC" not in render_result(Result("a", "", (grpc, rest)))


def test_what_is_compared_with_nobody_is_listed_with_its_range() -> None:
    listing = render_result(STREAMS).splitlines()[9:12]
    assert [_cells(line) for line in listing if "---" not in line] == [
        ["", "median", "low", "high", "n", "unit", "goal"],
        ["RSS above llama-server", "**8.00**", "7.00", "9.00", "3", "MB", "at most 5"],
    ]


def test_columns_are_aligned_in_plain_text() -> None:
    assert len({len(line) for line in render_result(STREAMS).splitlines()[4:8]}) == 1


def test_notes_and_failures_follow_the_tables() -> None:
    note, _, failure = render_result(STREAMS).splitlines()[-3:]
    assert note == "Note: one round was measured again"
    assert failure == "**FAILED**: llama-server, 16 streams: gone"


def test_a_table_of_the_scenarios_own_stands_in_place_of_the_figures() -> None:
    result = Result("trace", "a title", STREAMS.figures, table="hop  ms\nread  1")
    assert render_result(result) == "## trace\n\na title\n\n```\nhop  ms\nread  1\n```"


def test_missed_goals_are_listed_with_their_scenario() -> None:
    assert render_misses([STREAMS]).splitlines() == [
        "3 of 4 goals are missed:",
        "",
        "- streams: longest gap: REST: **1,234** ms (at most 150)",
        "- streams: longest gap: REST / llama-server: **0.98** (at least 1)",
        "- streams: RSS above llama-server: **8.00** MB (at most 5)",
    ]
    met = Result("a", "", (Figure("rate", "", (1.5,), LEAST), Figure("wait", "ms", (9.0,))))
    assert render_misses([met]) == "All 1 goals are met."
    assert render_misses([]) == "There are no goals for these figures."


def test_the_report_joins_the_files_of_several_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / "first.json", tmp_path / "second.json"]
    for file in files:
        file.write_text(to_json([STREAMS], {"processor": f"the one of {file.stem}"}))
    assert main([str(file) for file in files]) == 0
    printed = capsys.readouterr().out
    assert "- processor: the one of first\n" in printed
    assert "- processor: the one of second\n" in printed
    assert printed.count(render_result(STREAMS)) == 2
    assert "6 of 8 goals are missed" in printed


def test_a_report_of_a_file_that_is_not_there_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.json")]) == 1
    assert "none.json: No such file" in capsys.readouterr().err


def test_a_report_of_a_run_before_there_were_columns_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(to_json([STREAMS], {}))
    del document["results"][0]["figures"][0]["row"]
    (tmp_path / "old.json").write_text(json.dumps(document))
    assert main([str(tmp_path / "old.json")]) == 1
    assert "old.json was not written by this version" in capsys.readouterr().err
