"""What somebody may have meant who typed a name that does not exist."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

#: Names that are less alike than this are not suggested; 1 is equality.
_SIMILARITY = 0.7
_PREFIX_SIMILARITY = 0.85


def nearest(name: str, known: Iterable[str], similarity: float = _SIMILARITY) -> str | None:
    """The known name that is most like this one, or None if none is as similar as required."""
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=similarity)
    return found[0] if found else None


def nearest_variable(name: str, known: Collection[str], prefix: str) -> str | None:
    """The known variable that a name may have been meant for, or None.

    Args:
        name: as it stands in the environment.
        known: names of variables, all with the prefix.
        prefix: of our variables. A name with another prefix is meant for one of ours only if that prefix is much like
            this one and the rest is the same.
    """
    if not begins_like(name, prefix):
        return None
    written = _as_variable(name)
    if not written.startswith(prefix):
        # Another program's name may be much like ours; its variables are not.
        written = prefix + written.partition("_")[2]
        return written if written in known else None
    if written in known:
        return written
    # The common prefix would make all of them alike.
    near = nearest(written.removeprefix(prefix), [one.removeprefix(prefix) for one in known])
    return None if near is None else prefix + near


def begins_like(name: str, prefix: str) -> bool:
    """Whether the first word of a variable is that of a prefix, or much like it."""
    written = _as_variable(name)
    first, _, rest = written.partition("_")
    return written.startswith(prefix) or (
        rest != "" and nearest(first, [prefix.rstrip("_")], _PREFIX_SIMILARITY) is not None
    )


def _as_variable(name: str) -> str:
    return name.upper().replace("-", "_")


def note_on_argument(argument: str, takes_value: Mapping[str, bool]) -> str | None:
    """What to say about an unknown argument, or None if nothing comes to mind.

    Args:
        argument: as it was typed.
        takes_value: for every name of an option, whether a value follows it.
    """
    name, equals, value = argument.partition("=")
    if equals and name in takes_value:
        if takes_value[name]:
            return f"note: a value is an argument of its own: {name} {value}"
        return f"note: {name} takes no value"
    if not argument.startswith("-"):
        return f"note: a model is given with -m: -m {argument}" if argument.endswith(".gguf") else None
    # Short names are too much alike to suggest one.
    long_names = [known for known in takes_value if known.startswith("--")]
    near = nearest(f"--{name.lstrip('-').replace('_', '-')}", long_names)
    return None if near is None else f"note: did you mean {near}?"
