"""What is said about an option."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: What values are: a number or a switch, text, or a message or list of the contract.
Kind = Literal[
    "number",
    "integer",
    "boolean",
    "text",
    "texts",
    "token_ids",
    "biases",
    "penalty_prompt",
    "samplers",
    "system_prompt",
    "lora_scales",
]
Value = float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Numbers from ``min``, or above ``above``, to ``max``; an end that is None is open."""

    min: float | None = None
    above: float | None = None
    max: float | None = None

    def __contains__(self, number: float) -> bool:
        return (
            (self.min is None or number >= self.min)
            and (self.above is None or number > self.above)
            and (self.max is None or number <= self.max)
        )

    def within(self, other: Range) -> Range:
        """This range, with the ends of the other one where it is open."""
        has_least = self.min is not None or self.above is not None
        return Range(
            min=self.min if has_least else other.min,
            above=self.above if has_least else other.above,
            max=other.max if self.max is None else self.max,
        )


ANY = Range()
#: Seeds where they are not a field of 32 bits: any 64-bit integer, of which the lower 32 bits count.
SEEDS = (-(2**63), 2**64 - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionFacts:
    """The facts about one option, as ``slotline.v1.Option`` in ``options.proto`` explains them.

    Attributes:
        name: in the REST API.
        path: field of ``GenerateRequest``, with dots; empty for what is no field.
        kind: what values are.
        default: value of an absent field, None if absence has a meaning of its own.
        allowed: numbers that the server takes.
        sensible: numbers that make sense.
        off_at: the number that turns it off; like the next three None if there is none.
        off_up_to: this number and smaller ones turn it off.
        off_from: this number and larger ones turn it off.
        off_below: smaller numbers than this turn it off.
        unset: where a field cannot be absent, this number and smaller ones stand for that; None if none does.
        max_items: most entries of a list, None without a limit of its own.
        max_bytes: most bytes of text, None without a limit of its own.
        truncates: whether it is the parameter of the truncating sampler of its name.
        reported_if_on: whether reports leave it out while it is off.
        part_of: the option that turns on what this one is about, and with which it is reported; empty if none does.
        sampler: the sampler that it turns on, if that has another name; empty otherwise.
        group: heading in forms, empty for what only programs set.
        label: what forms call it.
        help: what it does, in whole sentences, with the numbers that have a meaning of their own.
        choices: all values with their labels, if they are few.
    """

    name: str
    path: str
    kind: Kind
    default: Value | None = None
    allowed: Range = ANY
    sensible: Range = ANY
    off_at: float | None = None
    off_up_to: float | None = None
    off_from: float | None = None
    off_below: float | None = None
    unset: int | None = None
    max_items: int | None = None
    max_bytes: int | None = None
    truncates: bool = False
    reported_if_on: bool = False
    part_of: str = ""
    sampler: str = ""
    group: str = ""
    label: str = ""
    help: str
    choices: tuple[tuple[int, str], ...] = ()

    @property
    def field(self) -> str:
        """Name of the field in its message."""
        return self.path.rpartition(".")[2]

    @property
    def is_scalar(self) -> bool:
        """Whether values are numbers or switches."""
        return self.kind in ("number", "integer", "boolean")

    def is_off(self, value: float) -> bool:
        """Whether a number turns off what the option controls."""
        return (
            value == self.off_at
            or (self.off_up_to is not None and value <= self.off_up_to)
            or (self.off_from is not None and value >= self.off_from)
            or (self.off_below is not None and value < self.off_below)
        )
