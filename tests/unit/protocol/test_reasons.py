"""The reasons for which a core refuses calls, and their page in docs/."""

from __future__ import annotations

import re
from pathlib import Path

from slotline.protocol import reasons

PAGE = Path(__file__).resolve().parents[3] / "docs/errors.md"
ALL = {name: value for name, value in vars(reasons).items() if name.isupper()}
FACTS = {name for name, value in ALL.items() if value.islower()}
#: The reason of a class of errors of which only those with reasons of their own are ever raised.
NEVER_GIVEN = {"UNAVAILABLE"}


def test_a_reason_is_its_own_name_and_a_fact_that_in_lower_case() -> None:
    assert len(ALL) > 20
    assert all(value in (name, name.lower()) for name, value in ALL.items())


def test_the_page_explains_every_reason_and_fact_and_no_others() -> None:
    rows = re.findall(r"^\| [A-Z_]+ \| `([A-Z_]+)` \| ([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    assert {reason for reason, _ in rows} == ALL.keys() - FACTS - NEVER_GIVEN
    assert {fact for _, facts in rows for fact in re.findall(r"`(\w+)`", facts)} == {ALL[name] for name in FACTS}
