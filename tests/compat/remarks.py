"""What people say about single tests, in ``remarks.json``: which do not apply to Slotline, and why others fail."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REMARKS = Path(__file__).with_name("remarks.json")


@dataclass(frozen=True, slots=True)
class Remarks:
    """What people say about tests, by patterns of their names in which ``*`` stands for any text.

    Attributes:
        not_ours: why a test does not apply to Slotline.
        differences: why Slotline fails a test that does apply.
    """

    not_ours: Mapping[str, str]
    differences: Mapping[str, str]

    def why_not_ours(self, test: str) -> str | None:
        """Why a test does not apply, or None if it does."""
        return _first(self.not_ours, test)

    def why_different(self, test: str) -> str | None:
        """Why Slotline fails, or None if nobody has said so."""
        return _first(self.differences, test)


def read_remarks(path: Path = REMARKS) -> Remarks:
    """What people wrote."""
    return Remarks(**json.loads(path.read_text()))


def _first(remarks: Mapping[str, str], test: str) -> str | None:
    # Names of tests have brackets, which patterns of files give a meaning.
    return next((why for pattern, why in remarks.items() if fnmatchcase(test, pattern.replace("[", "[[]"))), None)
