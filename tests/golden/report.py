"""Runs recorded cases against a server and makes a table of the verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.golden.compare import Agreement, Disagreement, compare

Case = Mapping[str, Any]

RECORDED = Path(__file__).parent / "reference_2024.json"
#: Options of ``slotline serve`` for which the cases were recorded, with the reference's way of rendering conversations.
OPTIONS = ("-c", "2048", "-np", "1", "--chat-template", "chatml", "--embedding", "--metrics")
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: status, headers, and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """The verdict on one case."""

    name: str
    verdict: Agreement | Disagreement

    @property
    def agrees(self) -> bool:
        """Whether nothing differs, or only what has a reason."""
        return isinstance(self.verdict, Agreement)

    @property
    def why(self) -> str:
        """What is wrong or, if nothing is, why it differs where it does."""
        return "; ".join(self.verdict.reasons if isinstance(self.verdict, Disagreement) else self.verdict.explained)


def recorded_cases(path: Path = RECORDED) -> list[dict[str, Any]]:
    """The cases in a file."""
    cases: list[dict[str, Any]] = json.loads(path.read_text())["cases"]
    return cases


def ask(url: str, case: Case) -> Answer:
    """Send a recorded request.

    Args:
        url: beginning of the server's URLs, without a slash at its end.

    Raises:
        requests.RequestException: the server cannot be reached or does not answer.
    """
    body = None if case["body"] is None else json.dumps(case["body"])
    response = requests.request(case["method"], url + case["path"], data=body, timeout=_TIMEOUT_S)
    return Answer(response.status_code, response.headers, response.content)


def judge(case: Case, answer: Answer) -> Agreement | Disagreement:
    """Compare an answer with the recorded one."""
    return compare(case, answer.status, answer.headers, answer.body)


def rows(cases: Iterable[Case], send: Callable[[Case], Answer]) -> list[Row]:
    """The verdicts on some cases, in order."""
    return [Row(case["name"], judge(case, send(case))) for case in cases]


def table(results: Sequence[Row]) -> str:
    """The verdicts as text: case, agrees, why not or where not and for which reason."""
    width = max(len(row.name) for row in results)
    lines = [f"{'case':<{width}}  agrees  why"]
    lines += [f"{row.name:<{width}}  {'yes' if row.agrees else 'NO':<6}  {row.why}".rstrip() for row in results]
    wrong = sum(not row.agrees for row in results)
    explained = sum(row.agrees and bool(row.why) for row in results)
    lines += [
        "",
        f"{len(results)} cases: {len(results) - wrong - explained} agree, {explained} agree but for what is explained, "
        f"{wrong} disagree",
    ]
    return "\n".join(lines)
