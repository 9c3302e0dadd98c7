"""``slotline rest``: the REST adapter alone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from rest_adapter.rest_server import RestServer
from service.llama.host.time_slices import SHORT_S, set_time_slice
from slotline.cli import logs
from slotline.cli.options import api_keys
from slotline.cli.options.rest_options import rest_config
from slotline.cli.serve.banner import BannerFacts
from slotline.cli.serve.certificates import check_core_certificates
from slotline.cli.serve.display import StartupDisplay
from slotline.cli.serve.process import raise_file_limit, settle
from slotline.cli.serve.stop_signals import StopSignals
from slotline.cli.start_errors import BindError

if TYPE_CHECKING:
    from rest_adapter.config import RestConfig
    from slotline.cli.options.table import Parsed

logger = logging.getLogger(__name__)


def run(parsed: Parsed) -> int:
    """Serve until a signal comes; returns the exit status."""
    raise_file_limit()
    set_time_slice(SHORT_S)
    logs.configure_from(parsed)
    logs.report_notices(parsed)
    signals = StopSignals()
    config = rest_config(parsed.settings)
    api_keys.report(config.api_keys)
    check_core_certificates(config)
    server = bind_rest(config)
    settle()
    server.start()
    log_listening(server)
    keys = api_keys.masked(config.api_keys) if config.api_keys else ""
    url, *also = urls_of(server)
    display = StartupDisplay(BannerFacts(rest_url=url, also=also, core=config.core, api_keys=keys))
    display.serving()
    signals.requested.wait()
    logger.info("stopping", extra={"drain_timeout_s": config.drain_timeout_s})
    display.stopping(config.drain_timeout_s, is_ready=True)
    server.stop(config.drain_timeout_s)
    return 0


def bind_rest(config: RestConfig) -> RestServer:
    """Bind the REST port.

    Raises:
        BindError: it cannot be bound; a log record says why.
    """
    try:
        return RestServer(config)
    except OSError as error:
        reason, host = error.strerror or str(error), error.filename or config.host
        logger.error("couldn't bind to server socket", extra={"hostname": host, "port": config.port, "reason": reason})
        raise BindError(host, config.port, reason) from None


def log_listening(server: RestServer) -> None:
    """Log where REST listens, with the real port."""
    for host, port in server.addresses:
        logger.info("HTTP server listening", extra={"hostname": host, "port": port})


def urls_of(server: RestServer) -> tuple[str, ...]:
    """Where REST listens, as a browser wants it."""
    return tuple(
        f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}" for host, port in server.addresses
    )
