"""Builds the sampler chain of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from service.sampling.candidates import Candidates
from service.sampling.settings import SamplerName, SamplingSettings
from service.sampling.temperature import dynamic_temperature, temperature
from service.sampling.truncation import TRUNCATIONS
from service.sampling.xtc import Xtc

Step = Callable[[Candidates], Candidates]


def build_chain(settings: SamplingSettings, seed: int) -> tuple[Step, ...]:
    """The steps of ``settings.chain`` in their order, without those that are off.

    A name that occurs twice acts twice. No steps at all means a draw from the plain softmax.

    Args:
        settings: of the request.
        seed: in use, for steps that take random numbers of their own.
    """
    return tuple(step for name in settings.chain for step in _steps(name, settings, seed))


def _steps(name: SamplerName, settings: SamplingSettings, seed: int) -> Iterator[Step]:
    """The step of one name, or nothing if its setting turns it off."""
    if name is SamplerName.TEMPERATURE:
        if settings.is_on("dynatemp_range"):
            yield lambda candidates: dynamic_temperature(
                candidates, settings.temperature, settings.dynatemp_range, settings.dynatemp_exponent
            )
        elif settings.temperature != 1:
            yield lambda candidates: temperature(candidates, settings.temperature)
    elif name is SamplerName.XTC:
        if settings.acts(name):
            yield Xtc(settings.xtc_probability, settings.xtc_threshold, max(1, settings.min_keep), seed)
    elif name in TRUNCATIONS and settings.acts(name):
        truncate, parameter, min_keep = TRUNCATIONS[name], getattr(settings, name.value), max(1, settings.min_keep)
        yield lambda candidates: truncate(candidates, parameter, min_keep)
