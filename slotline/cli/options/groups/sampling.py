"""What requests get that leave options of sampling out: options named after those, or as llama.cpp names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import InvalidValue, integer, real, text
from slotline.options import BY_PATH, SEEDS, OptionFacts
from slotline.options.chain import NotASampler, chain_of_letters, chain_of_names

if TYPE_CHECKING:
    from slotline.cli.options.values import Kind

#: What begins the names of these settings; the field of ``SamplingParams`` follows.
SETTING = "sampling."
#: Settings that are no numbers or switches.
SEED, CHAIN, BREAKERS = f"{SETTING}seed", f"{SETTING}samplers", f"{SETTING}dry_sequence_breakers"
#: What llama.cpp calls options whose names differ from ours by more than dashes.
_LLAMA_NAMES = {
    "temperature": ("--temp",),
    "top_n_sigma": ("--top-nsigma",),
    "typical_p": ("--typical",),
    "tfs_z": ("--tfs",),
    "dynatemp_exponent": ("--dynatemp-exp",),
    "mirostat_eta": ("--mirostat-lr",),
    "mirostat_tau": ("--mirostat-ent",),
}
#: The most that a signed 32-bit option may be below zero.
_LEAST = -(2**31)


def _names(facts: OptionFacts) -> tuple[str, ...]:
    return (*_LLAMA_NAMES.get(facts.field, ()), f"--{facts.field.replace('_', '-')}")


def _number(facts: OptionFacts) -> Kind[int] | Kind[float]:
    allowed = facts.allowed
    if facts.kind == "integer":
        least = _LEAST if allowed.min is None else int(allowed.min)
        return integer(least) if allowed.max is None else integer(least, int(allowed.max))
    return real(minimum=allowed.min, above=allowed.above, maximum=allowed.max)


def _value(facts: OptionFacts) -> Value:
    names, help_text = _names(facts), facts.help.partition(". ")[0].rstrip(".")
    return Value(names, "N", f"{SETTING}{facts.field}", _number(facts), help_text, default_note=f"{facts.default:g}")


def _seed(name: str, value: str) -> int | None:
    """A seed as requests have it: of a longer number the lower 32 bits count, and some of these mean a random one."""
    number = integer(*SEEDS)(name, value) % 2**32
    return None if number == 2**32 - 1 else number


def _by_name(name: str, value: str) -> tuple[str, ...]:
    try:
        return chain_of_names(value.split(";")).samplers
    except NotASampler as problem:
        raise InvalidValue(f"{name} {value!r}: {problem}") from None


def _by_letter(name: str, value: str) -> tuple[str, ...]:
    try:
        return chain_of_letters(value).samplers
    except NotASampler as problem:
        raise InvalidValue(f"{name} {value!r}: {problem}") from None


_SCALARS = [
    facts
    for path, facts in BY_PATH.items()
    if path.startswith("sampling.") and facts.is_scalar and facts.default is not None
]

SAMPLING = Group(
    "sampling of requests that do not say",
    (
        Value(("-s", "--seed"), "N", SEED, _seed, "the seed; -1 takes another one for each request", default_note="-1"),
        Value(
            ("--samplers",),
            "NAMES",
            CHAIN,
            _by_name,
            "the samplers in their order, with semicolons between their names",
            default_note="see docs/llama-server.md",
        ),
        Value(("--sampler-seq", "--sampling-seq"), "LETTERS", CHAIN, _by_letter, "the same as letters"),
        *(_value(facts) for facts in _SCALARS if facts.kind != "boolean"),
        *(
            Flag(_names(facts), {f"{SETTING}{facts.field}": True}, facts.help.partition(". ")[0].rstrip("."))
            for facts in _SCALARS
            if facts.kind == "boolean" and facts.default is False
        ),
        Value(
            ("--dry-sequence-breaker",),
            "TEXT",
            BREAKERS,
            text,
            "a text across which DRY sees no repetition; may repeat, and replaces the usual ones; none for no text",
            default_note=r"a line break, a colon, a quote and an asterisk",
            repeat=True,
        ),
    ),
)
