"""POST /slots/{id} in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.native.slot_actions.request import SlotAction
from rest_adapter.http.media_types import JSON
from rest_adapter.json.number_bounds import UINT32
from rest_adapter.openapi.operation import MODEL_ERRORS, STATE, Operation
from rest_adapter.openapi.schema_types import COUNT, NUMBER, STRING, Schema, body, either, integer, option, record, ref


def slot_action_body() -> Schema:
    return body({"filename": option(STRING, "Name of the file in the server's directory; not for erase.")})


_FILE = {"id_slot": COUNT, "filename": STRING}
SLOT_ACTION = Operation(
    STATE,
    "Save, restore or erase what a slot holds",
    "Waits until the slot is idle. Without --slot-save-path the answer is 501.",
    {200: {JSON: either(ref("SlotSaved"), ref("SlotRestored"), ref("SlotErased"))}},
    {
        "SlotSaved": record(
            {**_FILE, "n_saved": COUNT, "n_written": COUNT, "timings": record({"save_ms": NUMBER})},
        ),
        "SlotRestored": record(
            {**_FILE, "n_restored": COUNT, "n_read": COUNT, "timings": record({"restore_ms": NUMBER})},
        ),
        "SlotErased": record({"id_slot": COUNT, "n_erased": COUNT}),
    },
    MODEL_ERRORS,
    slot_action_body,
    query={"action": "What to do."},
    variable={"id": "Number of the slot, from 0."},
    parameters={"action": {"enum": [action.value for action in SlotAction]}, "id": integer((0, UINT32[1]))},
)
