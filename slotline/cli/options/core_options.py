"""Options of the core, and the ``CoreConfig`` that they describe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_adapter.config import RestConfig
from service.config import SamplingDefaults
from service.config import core_config as build_config
from service.errors import InvalidArgument
from service.field_names import with_names
from service.prompts.templates import resolve_template
from slotline.cli.default_model import default_model_path
from slotline.cli.options.api_keys import API_KEYS, api_key_file, api_keys_of
from slotline.cli.options.groups.access import ACCESS, GRPC_TLS
from slotline.cli.options.groups.compute import COMPUTE
from slotline.cli.options.groups.drafts import DRAFTS
from slotline.cli.options.groups.general import GENERAL
from slotline.cli.options.groups.gpu import GPU
from slotline.cli.options.groups.lifetime import STOPPING, SUPERVISION
from slotline.cli.options.groups.llama_server import LLAMA_SERVER
from slotline.cli.options.groups.long_context import LONG_CONTEXT
from slotline.cli.options.groups.model import MODEL
from slotline.cli.options.groups.pictures import PICTURES
from slotline.cli.options.groups.sampling import BREAKERS, CHAIN, SAMPLING, SEED, SETTING
from slotline.cli.options.groups.slots import SLOTS
from slotline.cli.options.table import Group, Value, invalid, names_of_settings
from slotline.cli.options.values import grpc_address, integer, path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.config import CoreConfig

#: Where a core listens by default, and where an adapter looks for it.
DEFAULT_GRPC_ADDRESS = RestConfig().core

LISTEN = Group(
    "gRPC",
    (
        Value(
            ("--listen",),
            "ADDRESS",
            "listen",
            grpc_address,
            "address for gRPC: HOST:PORT (port 0 takes a free one) or unix:PATH; may repeat",
            default=(DEFAULT_GRPC_ADDRESS,),
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

CORE_GROUPS = (
    GENERAL,
    MODEL,
    PICTURES,
    SLOTS,
    DRAFTS,
    SAMPLING,
    LISTEN,
    GRPC_TLS,
    API_KEYS,
    ACCESS,
    STOPPING,
    COMPUTE,
    LONG_CONTEXT,
    GPU,
    LLAMA_SERVER,
    SUPERVISED,
)
#: What people who start a core by command line call the fields of its configuration.
FIELD_NAMES = names_of_settings(CORE_GROUPS)


def _sampling_defaults(settings: Mapping[str, Any]) -> SamplingDefaults:
    """What requests get that leave options of sampling out."""
    others = {SEED, CHAIN, BREAKERS}
    breakers = settings.get(BREAKERS)
    return SamplingDefaults(
        options={
            name.removeprefix(SETTING): value
            for name, value in settings.items()
            if name.startswith(SETTING) and name not in others
        },
        seed=settings.get(SEED),
        samplers=settings.get(CHAIN),
        dry_sequence_breakers=None if breakers is None else tuple(text for text in breakers if text != "none"),
    )


def core_config(settings: Mapping[str, Any]) -> CoreConfig:
    """The configuration that these settings describe, with the default model if none was given.

    Raises:
        UsageError: settings that exclude one another, or a chat template that is none.
        NoDefaultModel: no model was given and the default one is not installed.
    """
    settings = {**settings, "api_keys": api_keys_of(settings), "field_names": FIELD_NAMES}
    if "aliases" in settings:
        first, *others = settings["aliases"]
        settings |= {"alias": first, "aliases": tuple(others)}
    settings["sampling"] = _sampling_defaults(settings)
    if settings.get("path") is None:
        settings["path"] = str(default_model_path())
    if "load_mode" in settings:
        settings["mmap"], settings["mlock"] = settings["load_mode"]
    if settings.get("lora"):
        # Documented of --lora from the time when adapters changed the weights in memory.
        settings["mmap"] = False
    adapter_keys = settings.get("adapter_key")
    settings["adapter_key"] = adapter_keys[0] if adapter_keys else None
    if adapter_keys and not settings["api_keys"]:
        raise invalid("--adapter-key-file", "--adapter-key-file is of no use without --api-key or --api-key-file")
    try:
        config = build_config(settings)
        if config.chat_template is not None:
            resolve_template(config.chat_template)
    except InvalidArgument as error:
        option = FIELD_NAMES[error.field]
        raise invalid(option, f"{option} {with_names(error.problem, FIELD_NAMES)}") from None
    return config
