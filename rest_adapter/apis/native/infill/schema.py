"""POST /infill in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.generation_schema import GENERATION_HEADERS, STREAM
from rest_adapter.apis.common.option_schema import native_options
from rest_adapter.apis.common.prompt_schema import MIXED
from rest_adapter.apis.common.unsupported import INFILL as UNSUPPORTED_FIELDS
from rest_adapter.apis.common.unsupported_schema import unsupported
from rest_adapter.apis.native.completion.schema import (
    COMPLETION_ANSWER,
    COMPLETION_EVENTS,
    COMPLETION_SCHEMAS,
    native_limits,
    native_output,
)
from rest_adapter.http.media_types import EVENTS, JSON
from rest_adapter.openapi.operation import GENERATION, MODEL_ERRORS, Operation
from rest_adapter.openapi.schema_types import STRING, Schema, array, body, either, option


def infill_body() -> Schema:
    sides = either(STRING, MIXED)
    return body(
        {
            "input_prefix": option(sides, "What comes before the gap: a text, or texts and token ids.", default=""),
            "input_suffix": option(sides, "What comes after the gap: a text, or texts and token ids.", default=""),
            "input_extra": option(
                array(body({"filename": STRING, "text": STRING}, required=("text",))),
                "Other files, the one that matters most last. They stand in front of the gap, with the model's marks "
                "for repositories and files if it has some; their beginning is left out if they do not fit.",
                default=[],
            ),
            "prompt": option(
                sides,
                "In the shape of 2024 only repeated in the answer; in the shape of today it follows the prefix.",
                default="",
            ),
            **native_limits(),
            **native_options(),
            **native_output(),
            **unsupported(UNSUPPORTED_FIELDS),
        }
    )


INFILL = Operation(
    GENERATION,
    "Fill a gap in a text",
    STREAM + "The events are those of /completion. A model that cannot do it is answered with 501.",
    {200: {JSON: COMPLETION_ANSWER, EVENTS: COMPLETION_EVENTS}},
    COMPLETION_SCHEMAS,
    MODEL_ERRORS,
    infill_body,
    headers=GENERATION_HEADERS,
)
