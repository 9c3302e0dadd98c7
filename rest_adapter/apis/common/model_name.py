"""What answers call the model."""

from __future__ import annotations

from pathlib import PurePath


def name_in_answers(asked: str) -> str:
    """What answers call the model that a request names: the same, or "" for its name in the core.

    Every name is accepted, because clients are set up with the names of other servers. Paths of files are not repeated.
    """
    return "" if PurePath(asked).is_absolute() else asked
