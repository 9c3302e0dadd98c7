"""Options of the core, and the ``CoreConfig`` that they describe."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from service.config import CoreConfig, ModelConfig
from service.errors import InvalidArgument
from service.llama.model_options import MIN_CTX_SLOT
from service.prompts.templates import resolve_template
from slotline.cli.default_model import default_model_path
from slotline.cli.options.access import ACCESS
from slotline.cli.options.api_keys import API_KEYS, api_key_file, api_keys_of
from slotline.cli.options.shared_options import COMPUTE, GENERAL, GPU, LONG_CONTEXT, MODEL, SLOTS, STOPPING, SUPERVISION
from slotline.cli.options.table import Group, Value, invalid, names_of_settings
from slotline.cli.options.values import grpc_address, integer, path

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_GRPC_ADDRESS = "127.0.0.1:50051"

LISTEN = Group(
    "gRPC",
    (
        Value(
            ("--listen",),
            "ADDRESS",
            "listen",
            grpc_address,
            "address for gRPC: HOST:PORT (port 0 takes a free one) or unix:PATH; may repeat",
            default=DEFAULT_GRPC_ADDRESS,
            repeat=True,
        ),
        Value(
            ("--optional-listen",),
            "ADDRESS",
            "optional_listen",
            grpc_address,
            "the same, but a busy address is a warning and not an error; may repeat",
            repeat=True,
        ),
    ),
)

SUPERVISED = Group(
    SUPERVISION.title,
    (
        *SUPERVISION.options,
        Value(
            ("--exit-with-parent",),
            "PID",
            "parent_pid",
            integer(1),
            "die when the parent process, which must be PID, dies",
        ),
        Value(
            ("--ready-file",),
            "FNAME",
            "ready_file",
            path,
            "make this file before anybody is told that the core serves",
        ),
        Value(
            ("--adapter-key-file",),
            "FNAME",
            "adapter_key",
            api_key_file,
            "file with a key for the REST adapter alone, which may say whose call it makes; only with --api-key. With "
            "any other key an adapter's clients share nothing with those who present the same keys here",
        ),
    ),
)

CORE_GROUPS = (GENERAL, MODEL, SLOTS, LISTEN, API_KEYS, ACCESS, STOPPING, COMPUTE, LONG_CONTEXT, GPU, SUPERVISED)
#: What people who start a core by command line call the fields of its configuration.
FIELD_NAMES = names_of_settings(CORE_GROUPS)


def core_config(settings: Mapping[str, Any]) -> CoreConfig:
    """The configuration that these settings describe, with the default model if none was given.

    Raises:
        UsageError: settings that exclude one another, or a chat template that is none.
        NoDefaultModel: no model was given and the default one is not installed.
    """
    settings = {"path": None, **settings, "api_keys": api_keys_of(settings), "field_names": FIELD_NAMES}
    if settings["path"] is None:
        settings["path"] = str(default_model_path())
    if settings.get("n_predict") == -1:
        settings["n_predict"] = None
    if settings.get("n_threads_batch") == -1:
        settings["n_threads_batch"] = None
    if settings.get("lora"):
        # Documented of --lora since it changed the weights in memory.
        settings["mmap"] = False
    adapter_keys = settings.get("adapter_key")
    settings["adapter_key"] = adapter_keys[0] if adapter_keys else None
    if adapter_keys and not settings["api_keys"]:
        raise invalid("--adapter-key-file", "--adapter-key-file is of no use without --api-key or --api-key-file")
    model = ModelConfig(**_fields_of(ModelConfig, settings))
    check_context(model.n_ctx, model.n_parallel)
    if "chat_template" in settings:
        check_template(settings["chat_template"])
    config = CoreConfig(model=model, **_fields_of(CoreConfig, settings))
    check_groups(config.group_n, config.group_width)
    return config


def check_context(n_ctx: int, n_parallel: int) -> None:
    """Refuse a context that leaves too little for each slot; 0, the model's own, is not known here.

    Raises:
        UsageError: it does.
    """
    if 0 < n_ctx < MIN_CTX_SLOT * n_parallel:
        raise invalid(
            "--ctx-size",
            f"--ctx-size {n_ctx} leaves {n_ctx // n_parallel} tokens for each of the {n_parallel} slots of --parallel; "
            f"a slot needs at least {MIN_CTX_SLOT}, so allowed is at least {MIN_CTX_SLOT * n_parallel}",
        )


def check_groups(group_n: int, group_width: int) -> None:
    """Refuse a width for self-extend that does not hold whole groups.

    Raises:
        UsageError: it does not.
    """
    if group_width % group_n:
        raise invalid(
            "--grp-attn-w",
            f"--grp-attn-w {group_width} is not a multiple of --grp-attn-n {group_n}; "
            f"allowed are {group_n}, {2 * group_n}, {3 * group_n} and so on",
        )


def check_template(choice: str) -> None:
    """Refuse a chat template that is neither text in Jinja nor a known name.

    Raises:
        UsageError: it is neither.
    """
    try:
        resolve_template(choice)
    except InvalidArgument as error:
        raise invalid("--chat-template", f"--chat-template {error.problem}") from None


def _fields_of(kind: type[CoreConfig] | type[ModelConfig], settings: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(kind) if field.init}
    return {name: value for name, value in settings.items() if name in names}
