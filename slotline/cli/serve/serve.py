"""``slotline serve``: the REST adapter in this process, the core in a supervised child."""

from __future__ import annotations

import logging
import os
import secrets
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import gevent

from service.dialogue.known_formats import KNOWN_FORMATS
from service.llama.host.time_slices import SHORT_S, set_time_slice
from slotline.cli import logs
from slotline.cli.options import api_keys
from slotline.cli.options.core_options import DEFAULT_GRPC_ADDRESS, core_config
from slotline.cli.options.environment import without_variables
from slotline.cli.options.groups.model import TOOL_FORMAT
from slotline.cli.options.groups.slots import SYSTEM_PROMPT_FILE
from slotline.cli.options.rest_options import rest_config
from slotline.cli.options.serve_options import PASSED_TO_CORE, by_shape
from slotline.cli.options.system_prompt_file import as_file_content
from slotline.cli.serve.banner import BannerFacts, BannerModel, tls_text
from slotline.cli.serve.certificates import check_certificates
from slotline.cli.serve.child import ChildProcess
from slotline.cli.serve.core_probe import probe_core
from slotline.cli.serve.display import StartupDisplay
from slotline.cli.serve.model_file import check_model
from slotline.cli.serve.private_directory import PrivateDirectory
from slotline.cli.serve.process import raise_file_limit, settle
from slotline.cli.serve.reservation import ReservedAddress
from slotline.cli.serve.rest import bind_rest, log_listening, urls_of
from slotline.cli.serve.stop_signals import StopSignals
from slotline.cli.serve.supervisor import CorePhase, Supervisor
from slotline.cli.start_errors import StartError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gevent.event import Event

    from rest_adapter.rest_server import RestServer
    from service.config import CoreConfig
    from service.llama.files.preflight import ModelFileFacts
    from slotline.cli.options.table import Parsed

logger = logging.getLogger(__name__)

#: Seconds that the adapter may need for its last answers, after the core has ended what still ran after the drain.
FLUSH_TIMEOUT_S = 2.0


def run(parsed: Parsed) -> int:
    """Serve until a signal comes or the core is given up; returns the exit status."""
    parsed = by_shape(parsed)
    config = with_adapter_key(core_config(parsed.settings))
    raise_file_limit()
    set_time_slice(SHORT_S)
    logs.configure_from(parsed)
    logs.report_notices(parsed)
    api_keys.report(config.api_keys)
    check_certificates(config)
    model = check_model(config)
    signals = StopSignals()
    with ExitStack() as stack:
        directory = make_private_directory()
        stack.callback(directory.remove)
        signals.before_exit.append(directory.remove)
        # REST first: if both are to have the same port, the error is about gRPC.
        rest = bind_rest(
            replace(
                rest_config(parsed.settings),
                core=directory.socket_address,
                core_api_key=config.adapter_key,
                native_model=config.alias or config.model.path,
            )
        )
        grpc = reserve(parsed.settings.get("grpc_listen", ()), stack)
        logger.info("gRPC addresses", extra={"addresses": [*grpc.mandatory, *grpc.optional]})
        command = core_command(parsed, config, directory, grpc)
        display = StartupDisplay(_facts(config, model, rest, grpc))
        # The child's command line holds what variables set, except for the keys: these are in a file.
        # gRPC would write notes about what anybody may send, such as failed handshakes, beside the log.
        environment = {"GRPC_VERBOSITY": "ERROR", **without_variables(os.environ)}
        start = partial(ChildProcess, command, environment=environment)
        supervisor = Supervisor(
            start,
            partial(probe_core, rest.core),
            display,
            has_served=directory.ready_file.exists,
            hang_timeout_s=config.hang_timeout_s,
        )
        signals.before_exit.append(supervisor.kill)
        return _serve(config, rest, supervisor, display, signals)


@dataclass(frozen=True, slots=True)
class GrpcAddresses:
    """Where the core is to listen besides its private socket.

    Attributes:
        mandatory: what was asked for.
        optional: the default.
        missing: what was left out because it is busy.
    """

    mandatory: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def make_private_directory() -> PrivateDirectory:
    """Make the directory for the socket between adapter and core.

    Raises:
        StartError: there is no place for it.
    """
    try:
        return PrivateDirectory()
    except OSError as error:
        raise StartError(
            f"no temporary directory for the socket of the core: {error}; set TMPDIR to one that can be written"
        ) from None


def with_adapter_key(config: CoreConfig) -> CoreConfig:
    """The configuration with a key that only our adapter knows, if clients need keys."""
    return replace(config, adapter_key=secrets.token_urlsafe(32)) if config.api_keys else config


def reserve(asked: Sequence[str], stack: ExitStack) -> GrpcAddresses:
    """Reserve the addresses for gRPC until the stack is closed.

    Args:
        asked: what ``--grpc-listen`` says; empty for the default, which may be busy.

    Raises:
        StartError: an address that was asked for cannot be had.
    """
    held: list[str] = []
    for address in asked or (DEFAULT_GRPC_ADDRESS,):
        try:
            held.append(stack.enter_context(ReservedAddress(address)).address)
        except OSError as error:
            reason = error.strerror or str(error)
            if not asked:
                logger.warning("gRPC address left out", extra={"address": address, "reason": reason})
                return GrpcAddresses(missing=(address,))
            raise StartError(
                f"--grpc-listen {address}: {reason}; choose another address, or port 0 for a free one"
            ) from None
    return GrpcAddresses(mandatory=tuple(held)) if asked else GrpcAddresses(optional=tuple(held))


def core_command(parsed: Parsed, config: CoreConfig, directory: PrivateDirectory, grpc: GrpcAddresses) -> list[str]:
    """The command line of the core.

    Args:
        directory: holds what adapter and core share.
    """
    # -P: a directory named like one of our packages, where the server happens to be started, must not be imported.
    command = [sys.executable, "-P", "-m", "slotline.cli", "core", "--exit-with-parent", str(os.getpid())]
    for address in (directory.socket_address, *grpc.mandatory):
        command += ["--listen", address]
    for address in grpc.optional:
        command += ["--optional-listen", address]
    command += ["--ready-file", str(directory.ready_file)]
    # Copies of these files: what was given may be a pipe, or have changed when the core is restarted.
    copied = (SYSTEM_PROMPT_FILE, TOOL_FORMAT)
    command += [*parsed.arguments_of(PASSED_TO_CORE, leave_out=copied), "--model", config.model.path]
    if config.system_prompt is not None:
        copy = directory.write("system_prompt.json", as_file_content(config.system_prompt))
        command += ["--system-prompt-file", str(copy)]
    if config.tool_format is not None:
        is_name = config.tool_format in KNOWN_FORMATS
        copy_or_name = config.tool_format if is_name else str(directory.write("tool_format.json", config.tool_format))
        command += ["--tool-format", copy_or_name]
    if config.api_keys:
        # Everybody on the machine can read command lines.
        file = directory.write("api_keys", api_keys.as_file_content(config.api_keys))
        command += ["--api-key-file", str(file)]
    if config.adapter_key is not None:
        file = directory.write("adapter_key", api_keys.as_file_content((config.adapter_key,)))
        command += ["--adapter-key-file", str(file)]
    return command


def _facts(config: CoreConfig, model: ModelFileFacts, rest: RestServer, grpc: GrpcAddresses) -> BannerFacts:
    url, *also = urls_of(rest)
    return BannerFacts(
        rest_url=url,
        also=also,
        grpc=(*grpc.mandatory, *grpc.optional),
        grpc_missing=grpc.missing,
        grpc_tls=tls_text(config),
        model=BannerModel.of(config, model),
        api_keys=api_keys.masked(config.api_keys) if config.api_keys else "",
    )


def _serve(
    config: CoreConfig, rest: RestServer, supervisor: Supervisor, display: StartupDisplay, signals: StopSignals
) -> int:
    settle()
    rest.start()
    log_listening(rest)
    supervising = gevent.spawn(supervisor.run)
    either: list[Event | gevent.Greenlet[[], None]] = [signals.requested, supervising]
    gevent.wait(either, count=1)
    if not signals.requested.is_set():
        rest.stop(0)
        supervising.get()
        return 1
    phase = supervisor.phase
    logger.info("stopping", extra={"drain_timeout_s": config.drain_timeout_s})
    display.stopping(config.drain_timeout_s, is_ready=phase is CorePhase.READY)
    # Both at once: callers of gRPC must hear as early as those of REST that they have to go elsewhere.
    stopping_rest = gevent.spawn(rest.stop, config.drain_timeout_s + FLUSH_TIMEOUT_S)
    gevent.sleep(0)
    supervisor.stop(config.drain_timeout_s)
    stopping_rest.get()
    return 1 if phase is CorePhase.FAILED else 0
