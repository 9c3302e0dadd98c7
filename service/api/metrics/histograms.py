"""The engine's histograms as metrics."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import HistogramMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from service.engine.statistics.distributions import Distributions
    from service.engine.statistics.histogram import HistogramCounts


def histogram_metrics(observed: Distributions) -> Iterator[Metric]:
    """One metric for each distribution."""
    for name, text, counts in (
        ("queue_seconds", "Time from arrival to the first slot.", observed.queue_s),
        ("time_to_first_token_seconds", "Time from arrival to the first token.", observed.first_token_s),
        ("inter_token_seconds", "Time between two tokens of a sequence.", observed.inter_token_s),
        ("request_prompt_tokens", "Prompt tokens of a request, cached ones included.", observed.prompt_tokens),
        ("request_generated_tokens", "Tokens sampled for a request.", observed.generated_tokens),
        ("step_seconds", "Duration of a step that evaluated tokens.", observed.step_s),
        ("batch_tokens", "Tokens that a step evaluated.", observed.batch_tokens),
    ):
        yield HistogramMetricFamily(f"slotline_{name}", text, buckets=_buckets(counts), sum_value=counts.sum)


def _buckets(counts: HistogramCounts) -> list[tuple[str, float]]:
    """Upper bound and number of values up to it, as the text format wants them."""
    bounds = (*(str(float(bound)) for bound in counts.bounds), "+Inf")
    return list(zip(bounds, accumulate(counts.counts), strict=True))
