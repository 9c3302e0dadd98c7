"""What routes need to know about the core, and limits of time."""

from __future__ import annotations

from rest_adapter.core.calls import GET_MODEL, CoreCalls
from slotline.v1.model_pb2 import GetModelRequest, Model

#: Seconds in which the core has to answer questions about its state.
STATE_TIMEOUT_S = 2.0
#: Seconds in which it has to tell its model to a request that would fail otherwise.
_TIMEOUT_S = 10.0


def served_model(core: CoreCalls) -> Model:
    """The served model, as the core describes it.

    Raises:
        RpcFailure: the core cannot be reached or has no model yet.
    """
    return core.unary(GET_MODEL, GetModelRequest(), timeout_s=_TIMEOUT_S).model


def shorter(timeout_s: float | None, other_s: float | None) -> float | None:
    """The shorter of two time limits; None is no limit."""
    limits = [limit for limit in (timeout_s, other_s) if limit is not None]
    return min(limits, default=None)
