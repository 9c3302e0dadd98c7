"""The options of a generation as the routes of OpenAI and Anthropic take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.api_defaults import set_api_defaults
from rest_adapter.apis.common.option_schema import native_options
from rest_adapter.apis.common.options import OPTIONS
from rest_adapter.openapi.schema_types import BOOLEAN, Schema, option
from slotline.v1.generation_pb2 import GenerateRequest

if TYPE_CHECKING:
    from google.protobuf.message import Message


def api_options() -> dict[str, Schema]:
    """The options of /completion, with the defaults that these APIs define."""
    options = native_options()
    defaults = GenerateRequest()
    set_api_defaults(defaults)
    for one in OPTIONS:
        path = one.path.replace("sampling.", "sampling_defaults.")
        if _is_set(defaults, path):
            options[one.name] |= {"default": _value(defaults, path)}
    description = f"{options['truncate']['description']} False unless the server has --openai-overflow truncate."
    options["truncate"] = option(BOOLEAN, description)
    return options


def _value(message: Message, path: str) -> object:
    value: object = message
    for field in path.split("."):
        value = getattr(value, field)
    return value


def _is_set(message: Message, path: str) -> bool:
    *parents, field = path.split(".")
    for parent in parents:
        if not message.HasField(parent):
            return False
        message = getattr(message, parent)
    # Lists have no presence, and no default of their own here.
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    return descriptor.has_presence and message.HasField(field)
