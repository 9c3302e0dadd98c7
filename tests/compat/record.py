"""What became of the tests, as it is written down in ``outcomes.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tests.compat.run import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OUTCOMES = Path(__file__).with_name("outcomes.json")

#: Names of the two servers in ``outcomes.json``.
OURS, THEIRS = "slotline", "llama-server"

#: Outcomes by test, by server.
Record = dict[str, dict[str, Outcome]]


def read_record(path: Path = OUTCOMES) -> Record:
    """What is written down."""
    servers = json.loads(path.read_text())
    return {
        server: {test: Outcome(**outcome) for test, outcome in outcomes.items()} for server, outcomes in servers.items()
    }


def write_record(record: Record, path: Path = OUTCOMES) -> None:
    """Write it down, a line for each test."""
    servers = []
    for server, outcomes in sorted(record.items()):
        lines = [f"    {json.dumps(test)}: {_as_json(outcome)}" for test, outcome in sorted(outcomes.items())]
        servers.append(f"  {json.dumps(server)}: {{\n" + ",\n".join(lines) + "\n  }")
    path.write_text("{\n" + ",\n".join(servers) + "\n}\n")


def updated(known: Mapping[str, Outcome], found: Mapping[str, Outcome], which: Iterable[str]) -> dict[str, Outcome]:
    """The outcomes of a server after a run of some files, or of all if ``which`` is empty."""
    files = set(which)
    kept = {test: outcome for test, outcome in known.items() if files and test.split("::")[0] not in files}
    return kept | dict(found)


def differences(known: Mapping[str, Outcome], found: Mapping[str, Outcome]) -> list[str]:
    """What is not as it is written down, a line for each test."""
    tests = sorted(known.keys() | found.keys())
    return [
        f"{test}: {_in_words(found.get(test))}, but written down as {_in_words(known.get(test))}"
        for test in tests
        if known.get(test) != found.get(test)
    ]


def _in_words(outcome: Outcome | None) -> str:
    if outcome is None:
        return "not run"
    return outcome.outcome if outcome.line is None else f"{outcome.outcome} at line {outcome.line}, {outcome.error}"


def _as_json(outcome: Outcome) -> str:
    fields = {"outcome": outcome.outcome, "line": outcome.line, "error": outcome.error}
    return json.dumps({name: value for name, value in fields.items() if value is not None})
