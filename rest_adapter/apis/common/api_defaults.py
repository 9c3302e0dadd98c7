"""What requests get that leave options out, where it depends on the API or on the shape of its answers.

These are defaults of the caller (``GenerateRequest.sampling_defaults``): what the server was started with goes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.chain import set_chain
from slotline.options import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slotline.v1.generation_pb2 import GenerateRequest
    from slotline.v1.sampling_pb2 import SamplingParams


def set_api_defaults(request: GenerateRequest, shape: ApiShape = ApiShape.OF_2024) -> None:
    """Set the defaults that OpenAI and Anthropic define for their APIs; in the shape of today there are none."""
    if shape is ApiShape.OF_2024:
        request.sampling_defaults.temperature = 1.0
        request.sampling_defaults.top_p = 1.0


def usual_value(request: GenerateRequest, option: str) -> float:
    """What a request gets that leaves out an option that is a number, unless the server was started otherwise."""
    facts = BY_NAME[option]
    given = {field.name: value for field, value in request.sampling_defaults.ListFields()}
    value = given.get(facts.field, facts.default)
    assert isinstance(value, int | float)
    return value


def usual_reasoning_format(shape: ApiShape) -> str | None:
    """Where chats have what the model thinks if neither the server nor the body says so; see ``RestConfig``."""
    return "auto" if shape is ApiShape.NOW else None


def apply_shape(request: GenerateRequest, body: Mapping[str, object], shape: ApiShape) -> None:
    """Set the defaults of a shape, and read what it reads in a way of its own; behind the options of the body.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    set_shape_defaults(request.sampling_defaults, shape)
    if shape is ApiShape.NOW and body.get("samplers") is not None:
        set_chain(request, body["samplers"])


def set_shape_defaults(defaults: SamplingParams, shape: ApiShape) -> None:
    """Set what requests that leave options out get in a shape, where that is not what the core does by itself."""
    if shape is ApiShape.NOW:
        defaults.repeat_penalty = 1.0
