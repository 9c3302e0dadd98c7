"""What the values of options may be: converters from an argument to a checked value.

A converter is called with the option's name as it was written and with the value; it raises ``InvalidValue`` with a
sentence that names both and says what is allowed. A ``Kind`` is a converter that also knows the way back.
"""

from __future__ import annotations

import enum
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from service.api.listen.addresses import NoAddress, parse_address
from service.bounds import INT32_MAX, bounds_of
from service.config import MAX_DEVICES, CoreConfig, KvOverride, LoraAdapter, MediaOptions, ModelConfig

T = TypeVar("T")
Converter = Callable[[str, str], T]

#: Words of llama.cpp's for on and off.
ON, OFF = ("1", "true", "on", "enabled"), ("0", "false", "off", "disabled")
#: Those of its options that also know auto, by ours.
ON_OFF_AUTO = {**dict.fromkeys(ON, "on"), **dict.fromkeys(OFF, "off"), "-1": "auto"}
_BOUNDS = bounds_of(ModelConfig) | bounds_of(MediaOptions) | bounds_of(CoreConfig)


class InvalidValue(Exception):
    """An option's value is not allowed; the text says why and what is."""


def text(name: str, value: str) -> str:
    """Any text that is not empty."""
    if not value:
        raise InvalidValue(f"{name} needs a value that is not empty")
    return value


def hosts(name: str, value: str) -> str:
    """Addresses or names with commas between them."""
    if not all(host.strip() for host in text(name, value).split(",")):
        raise InvalidValue(f"{name} {value!r} has an empty part; allowed are addresses and names, with commas between")
    return value


def path(name: str, value: str) -> Path:
    """The path of a file, which need not exist."""
    return Path(text(name, value))


def directory(name: str, value: str) -> str:
    """The path of a directory in which files can be made."""
    if not Path(text(name, value)).is_dir():
        raise InvalidValue(f"{name}: {value} is no directory; make it first")
    if not os.access(value, os.R_OK | os.W_OK | os.X_OK):
        raise InvalidValue(f"{name}: this user may not read and write files in {value}")
    return value


def readable_directory(name: str, value: str) -> str:
    """The path of a directory whose files can be read."""
    if not Path(text(name, value)).is_dir():
        raise InvalidValue(f"{name}: {value} is no directory")
    if not os.access(value, os.R_OK | os.X_OK):
        raise InvalidValue(f"{name}: this user may not read files in {value}")
    return value


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a value may be.

    Attributes:
        convert: checks a value, given the option's name and the value as it was typed.
        allowed: what is allowed, in words.
        typed: the inverse: a checked value as somebody would type it.
        for_none: what somebody would type for None; empty if no value gives it.
    """

    convert: Converter[T]
    allowed: str
    typed: Callable[[T], str] = str
    for_none: str = ""

    def __call__(self, name: str, value: str) -> T:
        """The checked value."""
        return self.convert(name, value)


def as_typed(converter: Callable[[str, str], object], value: object) -> str:
    """A value as somebody would type it for this converter; empty for None if nothing gives it."""
    if value is None:
        return converter.for_none if isinstance(converter, Kind) else ""
    return converter.typed(value) if isinstance(converter, Kind) else str(value)


def allowed_by(converter: object) -> str:
    """What a converter allows, in words; empty if it does not say."""
    return converter.allowed if isinstance(converter, Kind) else ""


def integer(minimum: int, maximum: int = INT32_MAX, *, or_exactly: int | None = None, means: str = "") -> Kind[int]:
    """Whole numbers from ``minimum`` to ``maximum``, and the special value ``or_exactly``, which ``means`` explains."""
    allowed = f"a whole number from {minimum} to {maximum}"
    if maximum == INT32_MAX:
        allowed = f"a whole number, at least {minimum}"
    if or_exactly is not None:
        allowed += f", or {or_exactly} ({means})"

    def convert(name: str, value: str) -> int:
        if re.fullmatch(r"[+-]?[0-9]{1,20}", value.strip()) is None:
            raise InvalidValue(f"{name} {value!r} is not a whole number; allowed is {allowed}")
        number = int(value)
        if number != or_exactly and not minimum <= number <= maximum:
            raise InvalidValue(f"{name} {number} is out of range; allowed is {allowed}")
        return number

    # Configurations may hold a whole number as a float.
    return Kind(convert, allowed, lambda number: str(int(number)))


def none_if(special: T, kind: Kind[T]) -> Kind[T | None]:
    """The same values, but None for a special one."""

    def convert(name: str, value: str) -> T | None:
        converted = kind(name, value)
        return None if converted == special else converted

    return Kind(convert, kind.allowed, lambda value: "" if value is None else kind.typed(value), kind.typed(special))


def or_words(words: Mapping[str, str], kind: Kind[T]) -> Kind[T]:
    """The same values, and words that stand for some of them, which are not told but taken."""
    return Kind(lambda name, value: kind(name, words.get(value, value)), kind.allowed, kind.typed, kind.for_none)


def mebibytes(minimum: int, maximum: int) -> Kind[int]:
    """Sizes as a whole number of MiB from ``minimum`` to ``maximum``; the value is in bytes."""
    count = integer(minimum, maximum)
    return Kind(lambda name, value: count(name, value) << 20, count.allowed, lambda n_bytes: str(n_bytes >> 20))


def real(*, minimum: float | None = None, above: float | None = None, maximum: float | None = None) -> Kind[float]:
    """Finite numbers: at least ``minimum``, more than ``above``, at most ``maximum``, as far as these are given."""
    allowed = "a number"
    if minimum is not None:
        allowed += f" of at least {minimum:g}" if maximum is None else f" from {minimum:g} to {maximum:g}"
    if above is not None:
        allowed += f" above {above:g}" if maximum is None else f" above {above:g} and up to {maximum:.0f}"

    def convert(name: str, value: str) -> float:
        try:
            # float() would take the underscores of Python's own numbers.
            number = math.nan if "_" in value else float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise InvalidValue(f"{name} {value!r} is not a finite number; allowed is {allowed}")
        is_low = (minimum is not None and number < minimum) or (above is not None and number <= above)
        if is_low or (maximum is not None and number > maximum):
            raise InvalidValue(f"{name} {number:g} is out of range; allowed is {allowed}")
        return number

    return Kind(convert, allowed, "{:g}".format)


def whole(field: str, *, or_exactly: int | None = None, means: str = "") -> Kind[int]:
    """Whole numbers within the bounds of a field of the core's configuration, and a special one; see ``integer``."""
    bounds = _BOUNDS[field]
    assert bounds.least is not None
    assert bounds.most is not None
    least = int(bounds.least)
    return integer(least + (least == or_exactly), int(bounds.most), or_exactly=or_exactly, means=means)


def number(field: str) -> Kind[float]:
    """Finite numbers within the bounds of a field of the core's configuration."""
    bounds = _BOUNDS[field]
    return real(minimum=bounds.least, above=bounds.above, maximum=bounds.most)


def _seconds_or(never: str, name: str, value: str) -> float:
    """Seconds, 0 for 0 and for the word."""
    if value == never:
        return 0.0
    try:
        return real(minimum=0)(name, value)
    except InvalidValue as error:
        raise InvalidValue(f"{error}, 0 or {never} for never") from None


def _reciprocal(number: float) -> float:
    return 1 / number if number else 0.0


#: How many times longer a context becomes, 0 for what the model says; the value is a frequency scale of RoPE.
times_longer: Kind[float] = Kind(
    lambda name, value: _reciprocal(real(minimum=0)(name, value)),
    "a number of at least 0",
    lambda scale: f"{_reciprocal(scale):g}",
)

#: Seconds above 0; None for 0 and the word off.
seconds_or_off: Kind[float | None] = Kind(
    lambda name, value: _seconds_or("off", name, value) or None,
    "a number of at least 0, 0 or off for never",
    "{:g}".format,
    for_none="off",
)


#: Seconds; 0 and -1 give 0, for never.
seconds_or_none: Kind[float] = Kind(
    lambda name, value: _seconds_or("-1", name, value.strip()),
    "a number of at least 0, 0 or -1 for never",
    "{:g}".format,
)


def choice(values: dict[str, T]) -> Kind[T]:
    """One of the keys; gives the value that belongs to it."""
    allowed = _listing(values)

    def convert(name: str, value: str) -> T:
        if value not in values:
            raise InvalidValue(f"{name} {value!r} is not known; allowed are {allowed}")
        return values[value]

    keys = {value: key for key, value in values.items()}
    for_none = next((key for key, value in values.items() if value is None), "")
    return Kind(convert, allowed.replace(" and ", " or "), keys.__getitem__, for_none)


E_ = TypeVar("E_", bound=enum.Enum)


def member(kind: type[E_]) -> Kind[E_]:
    """A member of an enum, by its value."""
    return choice({str(item.value): item for item in kind})


def only(*allowed: str, reason: str) -> Converter[str]:
    """Values that change nothing; ``reason`` says why there are no others."""

    def convert(name: str, value: str) -> str:
        if value not in allowed:
            are = "is" if len(allowed) == 1 else "are"
            raise InvalidValue(f"{name} {value!r} is not supported: {reason}; allowed {are} {_listing(allowed)}")
        return value

    return convert


def checked(convert: Callable[[str], T]) -> Converter[T]:
    """One value; ``convert`` raises ``ValueError`` with what is allowed."""

    def convert_one(name: str, value: str) -> T:
        try:
            return convert(value.strip())
        except ValueError as problem:
            raise InvalidValue(f"{name}: {problem}") from None

    return convert_one


def listed(convert: Callable[[str], T]) -> Converter[tuple[T, ...]]:
    """Values separated by commas, each converted; ``convert`` raises ``ValueError`` with what is allowed."""

    def convert_all(name: str, value: str) -> tuple[T, ...]:
        try:
            return tuple(convert(part.strip()) for part in value.split(","))
        except ValueError as problem:
            raise InvalidValue(f"{name}: {problem}; several are separated by commas") from None

    return convert_all


def names(name: str, value: str) -> tuple[str, ...]:
    """Names with commas between them, each once, in the order of the alphabet."""
    found = tuple(sorted({word.strip() for word in value.split(",")} - {""}))
    if not found:
        raise InvalidValue(f"{name} {value!r} has no name; allowed are names with commas between them")
    return found


def shares(name: str, value: str) -> tuple[float, ...]:
    """Numbers separated by ``,`` or ``/``: none negative, one positive, no more than devices can be used."""
    try:
        numbers = tuple(float(part) for part in re.split(r"[,/]", value))
    except ValueError:
        numbers = ()
    are_shares = all(math.isfinite(number) and number >= 0 for number in numbers) and any(numbers)
    if not are_shares or len(numbers) > MAX_DEVICES:
        raise InvalidValue(
            f"{name} {value!r} is not a list of shares; allowed are up to {MAX_DEVICES} numbers, none negative and "
            "not all zero, separated by commas, for example 3,2"
        )
    return numbers


def kv_override(name: str, value: str) -> KvOverride:
    """``KEY=TYPE:VALUE``, where TYPE is int, float or bool."""
    key, equals, typed = value.partition("=")
    kind, colon, raw = typed.partition(":")
    syntax = "\nnote: allowed is KEY=TYPE:VALUE with TYPE int, float or bool and a KEY of 1 to 127 bytes"
    if not equals or not 0 < len(os.fsencode(key)) < 128:
        raise InvalidValue(f"Malformed KV override: {value}{syntax}")
    if not colon or kind not in ("int", "float", "bool"):
        raise InvalidValue(f"Invalid type for KV override: {value}{syntax}")
    if kind == "bool":
        if raw not in ("true", "false"):
            raise InvalidValue(f"Invalid boolean value for KV override: {value}\nnote: allowed are true and false")
        return KvOverride(key, raw == "true")
    if kind == "int":
        if re.fullmatch(r"[+-]?[0-9]{1,19}", raw) is None or not -(2**63) <= int(raw) < 2**63:
            raise InvalidValue(
                f"Invalid int value for KV override: {value}\nnote: allowed are whole numbers of 64 bits"
            )
        return KvOverride(key, int(raw))
    try:
        return KvOverride(key, real()(name, raw))
    except InvalidValue:
        raise InvalidValue(f"Invalid float value for KV override: {value}\nnote: allowed are finite numbers") from None


def lora(name: str, value: str) -> LoraAdapter:
    """A LoRA adapter's file; its scale is 1."""
    return LoraAdapter(text(name, value))


def scaled_lora(name: str, path: str, scale: str) -> LoraAdapter:
    """A LoRA adapter's file and scale."""
    return LoraAdapter(text(name, path), real()(name, scale))


def grpc_address(name: str, value: str) -> str:
    """``HOST:PORT``, ``[IPV6]:PORT`` or ``unix:PATH``; port 0 takes a free port."""
    try:
        parse_address(value)
    except NoAddress as error:
        raise InvalidValue(f"{name} {value!r} {error.problem}") from None
    return value


def http_url(name: str, value: str) -> str:
    """An ``http://`` address."""
    if re.fullmatch(r"http://[^/\s]+(/\S*)?", value) is None:
        raise InvalidValue(f"{name} {value!r} is not an address; allowed is http://HOST:PORT/PATH")
    return value


def _listing(values: Iterable[str]) -> str:
    names = list(values)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
