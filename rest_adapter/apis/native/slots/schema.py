"""GET /slots in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.prompt_schema import REPEATED_PROMPT
from rest_adapter.apis.common.settings_now_schema import PARAMS_SCHEMAS
from rest_adapter.apis.common.settings_schema import COUNT_OR_NONE, OPTIONAL_SETTINGS, settings_properties
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import COMMON_ERRORS, STATE, Operation
from rest_adapter.openapi.schema_types import BOOLEAN, COUNT, NULL, STRING, Schema, array, either, record, ref


def _slots() -> Schema:
    next_token = {
        "has_next_token": BOOLEAN,
        "n_remain": COUNT_OR_NONE,
        "num_tokens_predicted": COUNT,
        "stopped_eos": BOOLEAN,
        "stopped_limit": BOOLEAN,
        "stopped_word": BOOLEAN,
        "stopping_word": STRING,
    }
    slot = {
        **settings_properties(),
        "id": COUNT,
        "next_token": record(next_token),
        "prompt": either(REPEATED_PROMPT, NULL),
        "state": {"enum": [0, 1]},
        "task_id": COUNT_OR_NONE,
    }
    progress: dict[str, Schema] = {
        "n_cached_tokens": COUNT,
        "n_prompt_tokens": COUNT,
        "n_prompt_tokens_processed": COUNT,
    }
    return array(record(slot | progress, optional=(*OPTIONAL_SETTINGS, *progress)))


def _slots_now() -> Schema:
    next_token = {"has_next_token": BOOLEAN, "n_decoded": COUNT, "n_remain": COUNT_OR_NONE}
    slot = {"id": COUNT, "is_processing": BOOLEAN, "n_ctx": COUNT, "speculative": BOOLEAN}
    task: dict[str, Schema] = {
        "id_task": COUNT,
        "n_prompt_tokens": COUNT,
        "n_prompt_tokens_cache": COUNT,
        "n_prompt_tokens_processed": COUNT,
        "next_token": array(record(next_token)),
        "params": ref("Params"),
    }
    return array(record(slot | task, optional=task))


SLOTS_SCHEMAS = {"Slots": _slots(), "SlotsNow": _slots_now(), **PARAMS_SCHEMAS}
SLOTS = Operation(
    STATE,
    "What every slot does",
    "Prompts can be read here, but not in the shape of today; --no-slots takes the route away: it is 404 then, in the "
    "shape of today 501.",
    {200: {JSON: either(ref("Slots"), ref("SlotsNow"))}},
    SLOTS_SCHEMAS,
    (404, 501, *COMMON_ERRORS),
    query={
        "progress": "With this, whatever its value, each slot counts the tokens of its prompt. In the shape of today "
        "it always does.",
        "fail_on_no_slot": "In the shape of today, with any value but an empty one, the answer is 503 while no slot is "
        "idle.",
    },
)
