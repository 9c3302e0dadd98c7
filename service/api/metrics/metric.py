"""What a metric is: a declaration, from which both its lines for Prometheus and its row in ``docs/`` are made."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from service.engine.statistics.histogram import HistogramCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client.metrics_core import Metric as Family

    from service.api.served_model import ServedModel
    from service.api.status import CoreStatus
    from service.engine.request.snapshots import Counters, EngineSnapshot
    from service.engine.statistics.distributions import Distributions
    from service.media.encoder import MediaCounts

    #: A single number; one for each combination of label values; a histogram; None if there is nothing to tell.
    Reported: TypeAlias = float | Mapping[tuple[str, ...], float] | HistogramCounts | None


class MetricType(enum.Enum):
    """Types of metrics, by Prometheus' names."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that metrics are read from, at one moment.

    Attributes:
        status: of the core.
        model: None while none is served.
    """

    status: CoreStatus
    model: ServedModel | None

    @property
    def snapshot(self) -> EngineSnapshot:
        """The engine after its last step."""
        return self.status.snapshot

    @property
    def counters(self) -> Counters:
        """Totals since start."""
        return self.status.snapshot.counters

    @property
    def media(self) -> MediaCounts | None:
        """What was done of pictures since start; None if they are not taken."""
        return self.status.media

    @property
    def observed(self) -> Distributions:
        """Histograms since start."""
        return self.status.snapshot.distributions


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as the exposition has it; the three series of a histogram append their suffixes.
        type: counter, gauge or histogram.
        unit: of its values, in the words of the documentation.
        read: takes its values from a reading.
        help: what it tells, as a sentence.
        labels: names of its labels, in the order of the values in the keys that ``read`` gives.
    """

    name: str
    type: MetricType
    unit: str
    read: Callable[[Reading], Reported]
    help: str
    labels: tuple[str, ...] = ()

    def family(self, reading: Reading) -> Family | None:
        """Its values as the Prometheus library wants them; None if there are none."""
        values = self.read(reading)
        if values is None:
            return None
        if isinstance(values, HistogramCounts):
            return HistogramMetricFamily(self.name, self.help, buckets=_buckets(values), sum_value=values.sum)
        make = CounterMetricFamily if self.type is MetricType.COUNTER else GaugeMetricFamily
        family = make(self.name, self.help, labels=self.labels)
        for labels, value in ({(): values} if isinstance(values, int | float) else values).items():
            family.add_metric(labels, value)
        return family


def _buckets(counts: HistogramCounts) -> list[tuple[str, float]]:
    """Upper bound and number of values up to it, as the text format wants them."""
    bounds = (*(str(float(bound)) for bound in counts.bounds), "+Inf")
    return list(zip(bounds, accumulate(counts.counts), strict=True))
