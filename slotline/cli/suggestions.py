"""What somebody may have meant who typed a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

# Names that have less than this in common are not taken for one another; 1 is equality.
_SIMILARITY = 0.7


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one, or None if none is much like it."""
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=_SIMILARITY)
    return found[0] if found else None


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
    # Short names are all alike.
    long_names = [known for known in takes_value if known.startswith("--")]
    near = nearest(f"--{name.lstrip('-').replace('_', '-')}", long_names)
    return None if near is None else f"note: did you mean {near}?"
