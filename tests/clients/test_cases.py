"""The file of cases has all that it should have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from slotline.protocol import reasons

FILE = json.loads(Path(__file__).with_name("cases.json").read_text())
#: Of no refusal: it is the family of those that have reasons of their own.
FAMILY = {reasons.UNAVAILABLE}


def calls(case: dict[str, Any]) -> list[dict[str, Any]]:
    """A case and the calls behind it."""
    following = case.get("actions", {}).get("then")
    return [case, *(calls(following) if following else [])]


def test_names_are_unlike() -> None:
    names = [case["name"] for case in FILE["cases"]]
    assert len(set(names)) == len(names)


def test_every_reason_of_the_contract_has_a_case() -> None:
    known = {value for name, value in vars(reasons).items() if name.isupper() and name == value}
    expected = {call["expect"].get("reason") for case in FILE["cases"] for call in calls(case)}
    assert known - expected == FAMILY


def test_a_core_that_dies_is_called_by_one_case_only() -> None:
    mortal = [name for name, plan in FILE["cores"].items() if plan.get("process")]
    called = [case["core"] for case in FILE["cases"] if case["core"] in mortal]
    assert sorted(called) == sorted(mortal)


def test_every_core_is_called() -> None:
    called = {
        name for case in FILE["cases"] for name in ([case["core"]] if isinstance(case["core"], str) else case["core"])
    }
    assert called == set(FILE["cores"])
