"""GET /props in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.settings_schema import SETTINGS_SCHEMAS
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import COMMON_ERRORS, STATE, Operation
from rest_adapter.openapi.schema_types import BOOLEAN, COUNT, STRING, Schema, array, record, ref

_PROPS: dict[str, Schema] = {
    "assistant_name": STRING,
    "default_generation_settings": ref("GenerationSettings"),
    "total_slots": COUNT,
    "user_name": STRING,
}
_SERVER: dict[str, Schema] = {
    "build_info": STRING,
    "chat_format": record(
        {
            "tool_format": STRING,
            "tool_source": STRING,
            "reasoning_open": STRING,
            "reasoning_close": STRING,
            "reasoning_switches": array(STRING),
            "description": {"type": "object"},
        }
    ),
    "endpoint_metrics": BOOLEAN,
    "endpoint_slots": BOOLEAN,
    "modalities": record({"audio": {"const": False}, "vision": BOOLEAN}),
    "n_ctx_train": COUNT,
}

PROPS = Operation(
    STATE,
    "Default settings, number of slots, names of the system prompt",
    "The settings are those of a request that gives none. Modalities are there if the model takes pictures.",
    {200: {JSON: ref("Props")}},
    {**SETTINGS_SCHEMAS, "Props": record(_PROPS | _SERVER, optional=_SERVER)},
    COMMON_ERRORS,
    query={
        "server": "With this, whatever its value, the answer also has the version, which routes are on, and what "
        "the model can do and how it writes tool calls and reasoning."
    },
)
