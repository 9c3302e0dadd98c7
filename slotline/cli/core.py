"""``slotline core``: the gRPC service alone."""

from __future__ import annotations

import logging

from slotline.cli import api_keys, logs
from slotline.cli.core_options import DEFAULT_GRPC_ADDRESS, core_config
from slotline.cli.options import Parsed, Value
from slotline.cli.process import die_with_parent
from slotline.cli.shared_options import GPU

logger = logging.getLogger(__name__)


def run(parsed: Parsed) -> int:
    """Serve until a signal comes; returns the exit status."""
    parent_pid = parsed.settings.get("parent_pid")
    if parent_pid is not None and not die_with_parent(parent_pid):
        # Nobody is left to serve, or to tell.
        return 1
    logs.configure_from(parsed)
    if parent_pid is None:
        # A parent has the same arguments and has said the same already.
        logs.report_notices(parsed)
    settings = dict(parsed.settings)
    if not settings.get("listen") and not settings.get("optional_listen"):
        settings["listen"] = (DEFAULT_GRPC_ADDRESS,)
    config = core_config(settings)
    if parent_pid is None:
        api_keys.report(config.api_keys)

    # Late, for it takes a while: the wish to die with the parent must be known before.
    from service.api.server import run_core

    warn_without_gpu(parsed)
    return run_core(config, is_supervised=parent_pid is not None)


def warn_without_gpu(parsed: Parsed) -> None:
    """Log that options for GPUs were used in vain, if they were."""
    used = [taken[0] for option, taken in parsed.used if option in GPU.options and isinstance(option, Value)]
    if not used:
        return

    from service.llama.library import load_library

    if not load_library().api.llama_supports_gpu_offload():
        logger.warning(
            "%s: without effect, the llama.cpp library was built without GPU support", ", ".join(dict.fromkeys(used))
        )
