"""What the core says about itself and about its limits, for routes that depend on it."""

from __future__ import annotations

from rest_adapter.core.calls import GET_MODEL, CoreCalls
from slotline.v1.model_pb2 import GetModelRequest, Model

#: A core that does not answer questions about its state within this time is as good as not there.
STATE_TIMEOUT_S = 2.0
#: A request that needs to know the model waits longer: it would fail otherwise.
_TIMEOUT_S = 10.0


def served_model(core: CoreCalls) -> Model:
    """The served model."""
    return core.unary(GET_MODEL, GetModelRequest(), timeout_s=_TIMEOUT_S).model


def shorter(timeout_s: float | None, other_s: float | None) -> float | None:
    """The shorter of two time limits; None is no limit."""
    limits = [limit for limit in (timeout_s, other_s) if limit is not None]
    return min(limits, default=None)
