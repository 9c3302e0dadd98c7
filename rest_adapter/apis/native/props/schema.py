"""GET /props in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.settings_now_schema import PARAMS_SCHEMAS
from rest_adapter.apis.common.settings_schema import SETTINGS_SCHEMAS
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import BODY_ERRORS, COMMON_ERRORS, STATE, Operation
from rest_adapter.openapi.schema_types import BOOLEAN, COUNT, STRING, Schema, array, body, either, record, ref

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

_NOW: dict[str, Schema] = {
    "bos_token": STRING,
    "build_info": STRING,
    "chat_template": STRING,
    "chat_template_caps": {"type": "object", "additionalProperties": BOOLEAN},
    "cors_proxy_enabled": BOOLEAN,
    "default_generation_settings": record({"n_ctx": COUNT, "params": ref("Params")}),
    "endpoint_metrics": BOOLEAN,
    "endpoint_props": BOOLEAN,
    "endpoint_slots": BOOLEAN,
    "eos_token": STRING,
    "is_sleeping": BOOLEAN,
    "modalities": {"type": "object", "additionalProperties": BOOLEAN},
    "model_alias": STRING,
    "model_ftype": STRING,
    "model_path": STRING,
    "total_slots": COUNT,
    "ui": BOOLEAN,
    "ui_settings": {"type": "object"},
}

PROPS = Operation(
    STATE,
    "Default settings, number of slots, names of the system prompt",
    "The settings are those of a request that gives none. Modalities are there if the model takes pictures. In the "
    "shape of today the answer tells of the model and its chat template, too.",
    {200: {JSON: either(ref("Props"), ref("PropsNow"))}},
    {
        **SETTINGS_SCHEMAS,
        **PARAMS_SCHEMAS,
        "Props": record(_PROPS | _SERVER, optional=_SERVER),
        "PropsNow": record(_SERVER | _NOW, optional=_SERVER.keys() - _NOW.keys()),
    },
    COMMON_ERRORS,
    query={
        "server": "With this, whatever its value, the answer also has the version, which routes are on, and what "
        "the model can do and how it writes tool calls and reasoning."
    },
)
SET_PROPS = Operation(
    STATE,
    "Change properties of the server",
    "No property can be changed yet, so the body is an empty object. Without --props it is answered with 501.",
    {200: {JSON: ref("PropsChanged")}},
    {"PropsChanged": record({"success": {"const": True}})},
    (501, *BODY_ERRORS),
    lambda: body({}),
)
