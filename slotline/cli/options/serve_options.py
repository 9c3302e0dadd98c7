"""Options of ``slotline serve``: those of the core and of the REST adapter, as the llama.cpp server has them."""

from __future__ import annotations

from dataclasses import replace

from rest_adapter.api_shape import ApiShape
from slotline.cli.options.api_keys import API_KEYS
from slotline.cli.options.core_options import DEFAULT_GRPC_ADDRESS
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
from slotline.cli.options.groups.sampling import SAMPLING
from slotline.cli.options.groups.slots import DEFAULT_N_PREDICT, N_PREDICT, SLOTS
from slotline.cli.options.rest_options import REST
from slotline.cli.options.table import Group, Parsed, Value, long_name
from slotline.cli.options.values import grpc_address

GRPC = Group(
    "gRPC",
    (
        Value(
            ("--grpc-listen",),
            "ADDRESS",
            "grpc_listen",
            grpc_address,
            "address for gRPC: HOST:PORT (port 0 takes a free one) or unix:PATH; may repeat. The default is left out, "
            "with a warning, if it is busy",
            default=(DEFAULT_GRPC_ADDRESS,),
            repeat=True,
        ),
    ),
)

#: What describes a core wherever it runs.
SHARED = (
    MODEL,
    PICTURES,
    SLOTS,
    DRAFTS,
    SAMPLING,
    LLAMA_SERVER,
    STOPPING,
    SUPERVISION,
    COMPUTE,
    LONG_CONTEXT,
    GPU,
)
#: Options that the core is started with as they were given.
PASSED_TO_CORE = (GENERAL, GRPC_TLS, ACCESS, *SHARED)
SERVE_GROUPS = (
    GENERAL,
    MODEL,
    PICTURES,
    SLOTS,
    DRAFTS,
    SAMPLING,
    REST,
    GRPC,
    GRPC_TLS,
    API_KEYS,
    ACCESS,
    STOPPING,
    SUPERVISION,
    COMPUTE,
    LONG_CONTEXT,
    GPU,
    LLAMA_SERVER,
)


def by_shape(parsed: Parsed) -> Parsed:
    """The options as the shape of answers wants them read.

    Today ``--n-predict`` is what requests get that set no limit, and no cap, unless ``--default-n-predict`` is given.
    """
    settings = dict(parsed.settings)
    if settings.get("api_shape") is not ApiShape.NOW or DEFAULT_N_PREDICT.setting in settings:
        return parsed
    if N_PREDICT.setting not in settings:
        return parsed
    settings[DEFAULT_N_PREDICT.setting] = settings.pop(N_PREDICT.setting)
    name = long_name(DEFAULT_N_PREDICT)
    used = [
        (DEFAULT_N_PREDICT, (name, *taken[1:])) if option is N_PREDICT else (option, taken)
        for option, taken in parsed.used
    ]
    return replace(parsed, settings=settings, used=used)
