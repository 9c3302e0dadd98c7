"""GET /health in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.native.slots.schema import SLOTS_SCHEMAS
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import STATE, Operation
from rest_adapter.openapi.schema_types import COUNT, Schema, either, record, ref

_HEALTH: dict[str, Schema] = {
    "slots": ref("Slots"),
    "slots_idle": COUNT,
    "slots_processing": COUNT,
    "status": {"enum": ["ok", "no slot available"]},
}

HEALTH = Operation(
    STATE,
    "Whether the server can take a request",
    "Its errors have bodies of their own: the model is being loaded, or the core has stalled (503), or the model "
    "could not be loaded (500). In the shape of today the answer is one word, and these are errors as elsewhere.",
    {
        200: {JSON: either(ref("Health"), ref("HealthNow"))},
        500: {JSON: either(ref("HealthWithoutSlots"), ref("Error"))},
        503: {JSON: either(ref("HealthWithoutSlots"), ref("Health"), ref("Error"))},
    },
    {
        **SLOTS_SCHEMAS,
        "Health": record(_HEALTH, optional=("slots",)),
        "HealthNow": record({"slots": ref("SlotsNow"), "status": {"const": "ok"}}, optional=("slots",)),
        "HealthWithoutSlots": record({"status": {"enum": ["loading model", "stalled", "error"]}}),
    },
    query={
        "include_slots": "With this, whatever its value, the answer has what /slots has; if the server has API "
        "keys, only for who presents one.",
        "fail_on_no_slot": "With this, whatever its value, the status is 503 while no slot is idle.",
    },
)
