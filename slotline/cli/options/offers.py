"""What environment variables say of options, put behind what was given before them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slotline.cli.options.table import Flag, Option, Pair, Parsed, Value, invalid, take

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Offer:
    """What a variable says of an option.

    Attributes:
        variable: its name.
        option: that it stands for.
        value: as the environment has it; of a flag a word for on or off.
    """

    variable: str
    option: Option
    value: str


def put_behind(
    given: Parsed, offers: Iterable[Offer], words: Mapping[str, bool], warnings: Sequence[str] = ()
) -> Parsed:
    """What was given, and what variables say of options and settings that it leaves open.

    Args:
        given: wins. What it settles is not looked up.
        offers: of variables of one rank; several of one option count together if it may repeat.
        words: for on and off.
        warnings: what to say of these variables, before all other warnings.

    Raises:
        UsageError: a value is not allowed; the text names the variable.
    """
    merged = Parsed(warnings=list(warnings), defaults=given.defaults, declined=list(given.declined))
    for offer in offers:
        if not given.settles(offer.option):
            _put(merged, offer, words)
    merged.settings.update(given.settings)
    merged.used.extend(given.used)
    merged.warnings.extend(given.warnings)
    return merged


def is_on(variable: str, value: str, words: Mapping[str, bool]) -> bool:
    """Whether a variable says on.

    Args:
        variable: its name.
        value: what it says.
        words: for on and off.

    Raises:
        UsageError: it is none of the words.
    """
    position = value.strip().lower()
    if position not in words:
        raise invalid(variable, f"{variable} {value!r} is not known; allowed are {', '.join(words)}")
    return words[position]


def _put(parsed: Parsed, offer: Offer, words: Mapping[str, bool]) -> None:
    variable, option, value = offer.variable, offer.option, offer.value
    match option:
        case Flag() if is_on(variable, value, words):
            take(parsed, option, variable)
        case Flag():
            parsed.declined.append(option)
        case Value():
            take(parsed, option, variable, value)
        case Pair():
            # The first of the two is a path and may hold blanks.
            parts = value.rsplit(maxsplit=1)
            if len(parts) != 2:
                raise invalid(variable, f"{variable} needs two values: {option.metavar}")
            take(parsed, option, variable, *parts)
