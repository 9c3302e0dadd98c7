"""Asks a core for its state through the adapter's own connection."""

from __future__ import annotations

from rest_adapter.core.calls import HEALTH, CoreCalls
from rest_adapter.errors import RpcFailure
from slotline.cli.serve.supervisor import CorePhase, CoreReport
from slotline.v1 import model_pb2

TIMEOUT_S = 1.0

_PHASES = {
    model_pb2.SERVER_STATE_READY: CorePhase.READY,
    model_pb2.SERVER_STATE_STALLED: CorePhase.STALLED,
    model_pb2.SERVER_STATE_FAILED: CorePhase.FAILED,
}


def probe_core(core: CoreCalls) -> CoreReport | None:
    """The state of the core; None while it cannot be reached."""
    try:
        health = core.unary(HEALTH, model_pb2.HealthRequest(), timeout_s=TIMEOUT_S)
    except RpcFailure:
        return None
    phase = _PHASES.get(health.state, CorePhase.STARTING)
    return CoreReport(
        phase,
        progress=health.load_progress,
        message=health.message,
        is_final=health.image_worker == model_pb2.IMAGE_WORKER_STATE_FAILED,
    )
