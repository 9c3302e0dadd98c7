"""Engines in which a number of streams decode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.engine.request.requests import GenerationRequest

if TYPE_CHECKING:
    from service.engine.engine import Engine
    from service.sampling.settings import SamplingSettings
    from tests.support.engine import SteppedEngine

#: Streams that decode at once.
N_STREAMS = (1, 8, 32)
#: Tokens that each has before steps are counted, so that what is made for the first ones exists.
N_FIRST_TOKENS = 2


def decoding_engine(bench: SteppedEngine, n_streams: int, sampling: SamplingSettings) -> Engine:
    """The engine of a bench, in each of whose next steps all streams get a token."""
    sinks = [bench.submit(_request(number, sampling))[1] for number in range(n_streams)]
    while min(len(sink.events) for sink in sinks) <= N_FIRST_TOKENS:
        bench.step()
    return bench.engine


def _request(number: int, sampling: SamplingSettings) -> GenerationRequest:
    """A prompt that begins like no other."""
    return GenerationRequest(prompt=(ord("A") + number, *b" story"), sampling=sampling)
