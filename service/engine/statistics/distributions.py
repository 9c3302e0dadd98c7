"""How long requests and steps take and how large they are, in buckets."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.engine.statistics.histogram import Histogram, HistogramCounts

#: Waiting in the queue or for the first token: from an idle GPU to a CPU with a long queue.
WAIT_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
#: Steps, and so the time between two tokens: dense where readers begin to notice.
STEP_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0)
REQUEST_TOKEN_BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
BATCH_TOKEN_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)

_NO_WAITS = HistogramCounts.empty(WAIT_BOUNDS_S)
_NO_STEPS = HistogramCounts.empty(STEP_BOUNDS_S)
_NO_REQUESTS = HistogramCounts.empty(REQUEST_TOKEN_BOUNDS)
_NO_BATCHES = HistogramCounts.empty(BATCH_TOKEN_BOUNDS)


@dataclass(frozen=True, slots=True)
class Distributions:
    """What was observed since start.

    Attributes:
        queue_s: from arrival to the first slot; one per request that got one.
        first_token_s: from arrival to the first sampled token; one per request that got there.
        inter_token_s: between two tokens of a sequence.
        prompt_tokens: prompt tokens of a request, cached ones included, those of the system prompt not.
        generated_tokens: tokens that a request sampled in all its sequences; one per request that ended.
        step_s: duration of a step that evaluated tokens.
        batch_tokens: tokens of such a step.
    """

    queue_s: HistogramCounts = _NO_WAITS
    first_token_s: HistogramCounts = _NO_WAITS
    inter_token_s: HistogramCounts = _NO_STEPS
    prompt_tokens: HistogramCounts = _NO_REQUESTS
    generated_tokens: HistogramCounts = _NO_REQUESTS
    step_s: HistogramCounts = _NO_STEPS
    batch_tokens: HistogramCounts = _NO_BATCHES


def _waits() -> Histogram:
    return Histogram(WAIT_BOUNDS_S)


def _steps() -> Histogram:
    return Histogram(STEP_BOUNDS_S)


def _requests() -> Histogram:
    return Histogram(REQUEST_TOKEN_BOUNDS)


def _batches() -> Histogram:
    return Histogram(BATCH_TOKEN_BOUNDS)


@dataclass(slots=True)
class Observations:
    """The histograms behind ``Distributions``, whose fields it has. For the engine's thread."""

    queue_s: Histogram = field(default_factory=_waits)
    first_token_s: Histogram = field(default_factory=_waits)
    inter_token_s: Histogram = field(default_factory=_steps)
    prompt_tokens: Histogram = field(default_factory=_requests)
    generated_tokens: Histogram = field(default_factory=_requests)
    step_s: Histogram = field(default_factory=_steps)
    batch_tokens: Histogram = field(default_factory=_batches)

    def read(self) -> Distributions:
        """Everything as it is now."""
        return Distributions(
            self.queue_s.read(),
            self.first_token_s.read(),
            self.inter_token_s.read(),
            self.prompt_tokens.read(),
            self.generated_tokens.read(),
            self.step_s.read(),
            self.batch_tokens.read(),
        )
