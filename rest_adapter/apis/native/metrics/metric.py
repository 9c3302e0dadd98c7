"""One metric of the adapter, and what its value is read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from slotline.v1.model_pb2 import GetMetricsResponse


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that the adapter's metrics are read from, at one moment.

    Attributes:
        core: what the core tells.
        responses: HTTP responses so far, by method, route and status.
        running: generations and embeddings that run or wait.
    """

    core: GetMetricsResponse
    responses: Mapping[tuple[str, ...], int]
    running: int


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as the exposition has it.
        type: by Prometheus' name.
        unit: of its values, in the words of the documentation.
        read: takes its value from a reading, or one for each combination of label values. Rates and ratios are always
            ``float`` and so have a decimal point.
        help: what it tells, as a sentence.
        labels: names of its labels, in the order of the values in the keys that ``read`` gives.
    """

    name: str
    type: Literal["counter", "gauge"]
    unit: str
    read: Callable[[Reading], float | Mapping[tuple[str, ...], float]]
    help: str
    labels: tuple[str, ...] = ()

    def lines(self, reading: Reading) -> Iterator[str]:
        """Its part of the exposition, values with labels in the order of these."""
        yield f"# HELP {self.name} {self.help}\n"
        yield f"# TYPE {self.name} {self.type}\n"
        values = self.read(reading)
        if isinstance(values, int | float):
            yield f"{self.name} {values!r}\n"
            return
        for key, value in sorted(values.items()):
            labels = ",".join(f'{label}="{text}"' for label, text in zip(self.labels, key, strict=True))
            yield f"{self.name}{{{labels}}} {value!r}\n"
