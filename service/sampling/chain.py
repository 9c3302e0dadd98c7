"""Builds the sampler chain of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from service.sampling.candidates import Candidates
from service.sampling.settings import SamplerName, SamplingSettings
from service.sampling.temperature import dynamic_temperature, temperature
from service.sampling.truncation import min_p, tfs_z, top_k, top_p, typical_p

Step = Callable[[Candidates], Candidates]


def build_chain(settings: SamplingSettings) -> tuple[Step, ...]:
    """The steps of ``settings.samplers`` in their order, without those that are off.

    A name that occurs twice acts twice. No steps at all means a draw from the plain softmax.
    """
    return tuple(step for name in settings.samplers for step in _steps(name, settings))


def _steps(name: SamplerName, settings: SamplingSettings) -> Iterator[Step]:
    """The step of one name, or nothing if its setting turns it off."""
    min_keep = max(1, settings.min_keep)
    match name:
        case SamplerName.TOP_K if settings.top_k > 0:
            yield lambda candidates: top_k(candidates, settings.top_k, min_keep)
        case SamplerName.TFS_Z if settings.tfs_z < 1:
            yield lambda candidates: tfs_z(candidates, settings.tfs_z, min_keep)
        case SamplerName.TYPICAL_P if settings.typical_p < 1:
            yield lambda candidates: typical_p(candidates, settings.typical_p, min_keep)
        case SamplerName.TOP_P if settings.top_p < 1:
            yield lambda candidates: top_p(candidates, settings.top_p, min_keep)
        case SamplerName.MIN_P if settings.min_p > 0:
            yield lambda candidates: min_p(candidates, settings.min_p, min_keep)
        case SamplerName.TEMPERATURE if settings.dynatemp_range > 0:
            yield lambda candidates: dynamic_temperature(
                candidates, settings.temperature, settings.dynatemp_range, settings.dynatemp_exponent
            )
        case SamplerName.TEMPERATURE if settings.temperature != 1:
            yield lambda candidates: temperature(candidates, settings.temperature)
