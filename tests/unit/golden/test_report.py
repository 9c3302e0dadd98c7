"""The table of verdicts, and the command that prints it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.golden import __main__ as command
from tests.golden.compare import Agreement, Disagreement
from tests.golden.report import Answer, Row, recorded_cases, rows, table
from tests.unit.golden.answers import CASES, headers_of, own_body

if TYPE_CHECKING:
    from pathlib import Path


def own(case: Any) -> Answer:
    return Answer(200, headers_of(case), own_body(case))


def test_all_recorded_cases_are_judged_in_order() -> None:
    results = rows(recorded_cases(), own)
    assert [row.name for row in results] == list(CASES)
    assert all(row.agrees for row in results)


def test_the_table_tells_case_verdict_and_reason() -> None:
    results = [
        Row("same", Agreement()),
        Row("explained", Agreement(("a: because", "b: therefore"))),
        Row("wrong", Disagreement(("status is 501; 200 is expected",), ("c: because",))),
    ]
    assert table(results).splitlines() == [
        "case       agrees  why",
        "same       yes",
        "explained  yes     a: because; b: therefore",
        "wrong      NO      status is 501; 200 is expected",
        "",
        "3 cases: 1 agree, 1 agree but for what is explained, 1 disagree",
    ]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": [CASES["tokenize-3"], CASES["health"]]}))
    return path


@pytest.mark.parametrize(("status", "exit_status"), [(200, 0), (501, 1)])
def test_the_exit_status_tells_whether_all_agree(
    cases: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int, exit_status: int
) -> None:
    def ask(url: str, case: Any) -> Answer:
        assert url == "http://h:1"
        return Answer(status if case["name"] == "health" else 200, headers_of(case), own_body(case))

    monkeypatch.setattr(command, "ask", ask)
    assert command.main(["--url", "http://h:1/", "--cases", str(cases)]) == exit_status
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"2 cases: {2 - exit_status} agree, 0 agree but")


def test_a_server_that_is_not_there_is_told_in_one_line(
    cases: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise requests.ConnectionError("refused")

    monkeypatch.setattr(requests, "request", refuse)
    assert command.main(["--url", "http://h:1", "--cases", str(cases)]) == 2
    assert capsys.readouterr().err == "error: http://h:1 does not answer: refused\n"
