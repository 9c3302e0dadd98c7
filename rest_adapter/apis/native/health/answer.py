"""What GET /health is answered with, in either shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.model_pb2 import HealthResponse


@dataclass(frozen=True, slots=True)
class HealthAnswer:
    """Status and body of GET /health."""

    status: int
    body: bytes


class _Answers(Protocol):
    def __call__(
        self, health: HealthResponse, *, fails_without_slot: bool, slots: list[JsonObject] | None = None
    ) -> HealthAnswer:
        """The answer for a state of the core."""


@dataclass(frozen=True, slots=True)
class HealthReply:
    """The answers of a shape.

    Attributes:
        loading: the model is being loaded, or there is no core yet.
        stalled: the core is there, but does not get on.
        failed: it cannot serve, and waiting will not help.
        answer: makes one of a state.
    """

    loading: HealthAnswer
    stalled: HealthAnswer
    failed: HealthAnswer
    answer: _Answers
