"""A core as a process of its own: from the configuration to the exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import TYPE_CHECKING

from service.api.listen.addresses import ListenError
from service.api.server.core_server import CoreServer
from service.api.server.llama import load_llama, with_known_context
from service.api.server.stop_request import StopRequest
from service.errors import ServiceError
from service.field_names import described

if TYPE_CHECKING:
    from pathlib import Path

    from service.api.core.loading import Load
    from service.api.server.watcher import Watcher
    from service.config import CoreConfig

logger = logging.getLogger(__name__)

#: The engine thread gives the GIL up for most of a step. When it wants it back, it must not wait 5 ms, the default.
SWITCH_INTERVAL_S = 0.0005


def run_core(
    config: CoreConfig,
    *,
    load: Load = load_llama,
    is_supervised: bool = False,
    watcher: Watcher | None = None,
    ready_file: Path | None = None,
) -> int:
    """Run a core until a signal or a fault ends it, and return the exit code.

    The first SIGTERM or SIGINT drains: new requests are refused, running ones may go on for
    ``config.drain_timeout_s``. A second one ends the process at once, with code 1. Returns 0 after a drain, 1 if an
    address cannot be listened on, the engine died or the projector cannot be used; a parent ends the process then, once
    it knows why. A model that cannot be loaded ends nothing: the state is FAILED.

    Args:
        config: the whole core.
        load: loads the model, in the engine's thread.
        is_supervised: whether a parent passes signals on, and kills when it is told to insist. Then a second signal
            means nothing: service managers signal parent and child, and so the same request comes twice.
        watcher: is told how it goes, besides the log.
        ready_file: made before anybody is told that the core serves, so that a supervisor learns of it even if the core
            dies at once.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    code, is_clean = asyncio.run(_run(config, load, is_supervised, watcher, ready_file))
    if not is_clean:
        # The engine's thread is inside the library, whose destructors must not run under it.
        logging.shutdown()
        os._exit(code)
    return code


async def _run(
    config: CoreConfig, load: Load, is_supervised: bool, watcher: Watcher | None, ready_file: Path | None
) -> tuple[int, bool]:
    """Run until the end; returns the exit code and whether the engine's thread has ended."""
    stop = StopRequest(is_supervised=is_supervised)
    stop.listen()
    try:
        server = CoreServer(with_known_context(config), load=load, watcher=watcher, ready_file=ready_file)
        await server.start()
    except (ListenError, ServiceError) as error:
        reason = described(error, config.field_names) if isinstance(error, ServiceError) else str(error)
        logger.error("the server cannot start", extra={"reason": reason})
        if watcher is not None:
            watcher.refused(reason)
        return 1, True
    core = server.core
    ends = [core.has_died] if is_supervised else [core.has_died, core.has_refused]
    failures = [asyncio.ensure_future(end.wait()) for end in ends]
    stopped = asyncio.ensure_future(stop.requested.wait())
    await asyncio.wait([*failures, stopped], return_when=asyncio.FIRST_COMPLETED)
    if stopped.done():
        await server.drain()
    is_clean = await server.stop()
    code = 1 if any(failure.done() for failure in failures) else 0
    for waiting in (*failures, stopped):
        waiting.cancel()
    return code, is_clean
