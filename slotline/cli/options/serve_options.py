"""Options of ``slotline serve``: those of the core and of the REST adapter, as the llama.cpp server has them."""

from __future__ import annotations

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
from slotline.cli.options.groups.slots import SLOTS
from slotline.cli.options.rest_options import REST
from slotline.cli.options.table import Group, Value
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
