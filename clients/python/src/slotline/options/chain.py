"""Chains of samplers as llama.cpp's programs of today write them: names with several spellings, or letters.

They differ from those of 2024: penalties and DRY are steps, one sampler has another name, and one is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slotline.options import sampler_names

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Steps of a chain that are no samplers of ``SamplingParams``: they act if they are named, and always come first.
PENALTIES, DRY = "penalties", "dry"
#: The options that they obey.
PENALTY_OPTIONS = ("repeat_penalty", "frequency_penalty", "presence_penalty")
DRY_OPTIONS = ("dry_multiplier",)
#: The chain of a request that names no samplers; those that are off do nothing in it.
USUAL_CHAIN = (PENALTIES, DRY, "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature")
#: Options of 2024 that are none today. The first is also a sampler, and in the usual chain of 2024.
GONE_SAMPLER = "tfs_z"
GONE_OPTIONS = frozenset({GONE_SAMPLER, "penalize_nl"})
#: What samplers are called that have another name in ``SamplingParams``.
NAMES_NOW = {"typical_p": "typ_p"}

_LETTERS = {
    "e": PENALTIES,
    "d": DRY,
    "s": "top_n_sigma",
    "k": "top_k",
    "y": "typical_p",
    "p": "top_p",
    "m": "min_p",
    "x": "xtc",
    "t": "temperature",
    "a": "adaptive_p",
    "i": "infill",
}
_OTHER_WORDS = {
    "nucleus": "top_p",
    "temp": "temperature",
    "typ": "typical_p",
    **{now: name for name, now in NAMES_NOW.items()},
}
_KNOWN = (*sampler_names(), PENALTIES, DRY, "infill")


def _spellings(name: str) -> set[str]:
    return {name, name.replace("_", "-"), name.replace("_", "")}


_WORDS = {
    spelling: name
    for word, name in ({name: name for name in _KNOWN} | _OTHER_WORDS).items()
    for spelling in _spellings(word)
}


class NotASampler(ValueError):
    """A step that this server does not have, and without which the text would be another one."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chosen chain.

    Attributes:
        samplers: names of samplers in their order.
        penalties: whether penalties act.
        dry: whether DRY acts.
    """

    samplers: tuple[str, ...]
    penalties: bool
    dry: bool


def chain_of_names(words: Iterable[str]) -> Chain:
    """A chain by names; those that nobody knows are left out, as in llama.cpp.

    Raises:
        NotASampler: it has the infill sampler.
    """
    return _chain([_WORDS.get(word.lower()) for word in words])


def chain_of_letters(letters: str) -> Chain:
    """The same by letters.

    Raises:
        NotASampler: it has the infill sampler.
    """
    return _chain([_LETTERS.get(letter) for letter in letters])


def _chain(names: list[str | None]) -> Chain:
    if "infill" in names:
        raise NotASampler("the infill sampler is not supported; leave it out")
    samplers = tuple(name for name in names if name is not None and name not in (PENALTIES, DRY))
    return Chain(samplers, PENALTIES in names, DRY in names)
