"""GET /props in the shape of today: default settings, the model, its chat template, and which routes are on."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from rest_adapter.apis.common.settings_now import NO_CHAT, Asked, params_now
from rest_adapter.version import slotline_version

if TYPE_CHECKING:
    from rest_adapter.config import RestConfig
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.model_pb2 import Model, TemplateCapabilities


def props_json(model: Model, config: RestConfig) -> JsonObject:
    """The properties of a core that serves one model.

    ``media_marker`` is not there: the marker of ``multimodal_data`` is always the same (docs/pictures.md).
    """
    return {
        "default_generation_settings": {
            "params": params_now(model.default_settings, Asked(is_stream=True, parts=NO_CHAT)),
            "n_ctx": model.context_length,
        },
        "total_slots": model.n_slots,
        "model_alias": model.name,
        "model_ftype": model.file_type,
        "model_path": _path(model, config.native_model),
        "modalities": {"vision": model.capabilities.vision, "video": False, "audio": False},
        "endpoint_slots": config.slots_endpoint,
        "endpoint_props": config.props_endpoint,
        "endpoint_metrics": config.metrics,
        "ui": config.page,
        "ui_settings": {},
        "chat_template": model.chat_template,
        "chat_template_caps": _capabilities(model.chat_format.template_capabilities),
        "bos_token": model.bos_token,
        "eos_token": model.eos_token,
        "build_info": f"slotline {slotline_version()}",
        # The model stays loaded, and pages of this server ask no others through it.
        "is_sleeping": False,
        "cors_proxy_enabled": False,
    }


def _path(model: Model, native_model: str | None) -> str:
    """Where the file lies, if the adapter was started with that; else its name."""
    is_path = native_model is not None and PurePath(native_model).name == model.file_name
    return native_model if is_path and native_model is not None else model.file_name


def _capabilities(capabilities: TemplateCapabilities) -> JsonObject:
    return {
        "supports_object_arguments": capabilities.object_arguments,
        "supports_parallel_tool_calls": capabilities.parallel_tool_calls,
        "supports_reasoning_effort": capabilities.reasoning_effort,
        "supports_string_content": capabilities.string_content,
        "supports_system_role": capabilities.system_role,
        "supports_tool_calls": capabilities.tool_calls,
        "supports_tools": capabilities.tools,
        "supports_typed_content": capabilities.typed_content,
    }
