"""``slotline core``: the gRPC service alone."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from service.llama.host.time_slices import SHORT_S, set_time_slice
from slotline.cli import logs
from slotline.cli.options import api_keys
from slotline.cli.options.core_options import core_config
from slotline.cli.options.groups.gpu import GPU
from slotline.cli.options.table import Flag, Parsed, Value
from slotline.cli.serve.banner import BannerFacts, BannerModel, tls_text
from slotline.cli.serve.certificates import check_certificates
from slotline.cli.serve.display import StartupDisplay
from slotline.cli.serve.model_file import check_model
from slotline.cli.serve.process import die_with_parent, raise_file_limit, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.api.served_model import LoadedModel
    from service.config import CoreConfig, ModelConfig
    from service.llama.files.preflight import ModelFileFacts

logger = logging.getLogger(__name__)


def run(parsed: Parsed) -> int:
    """Serve until a signal comes; returns the exit status."""
    parent_pid = parsed.settings.get("parent_pid")
    if parent_pid is not None and not die_with_parent(parent_pid):
        # Nobody is left to serve, or to report to.
        return 1
    raise_file_limit()
    set_time_slice(SHORT_S)
    logs.configure_from(parsed)
    if parent_pid is None:
        # A parent has the same arguments, and has logged the same already.
        logs.report_notices(parsed)
    settings = dict(parsed.settings)
    if not settings.get("listen") and not settings.get("optional_listen"):
        settings["listen"] = parsed.value("listen")
    config = core_config(settings)
    if parent_pid is None:
        api_keys.report(config.api_keys)
        check_certificates(config)
        # A parent has checked the file already, and shows people what we report to it.
        display = CoreDisplay(config, check_model(config))
    else:
        display = None

    # Late, because the import takes a while: by now the kernel knows that this process is to die with its parent.
    from service.api.server.llama import load_llama
    from service.api.server.run import run_core

    def load(config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
        model = load_llama(config, on_progress=on_progress)
        # Now, so that the vocabulary is among what later collections leave alone.
        settle()
        return model

    warn_without_gpu(parsed)
    return run_core(
        config,
        load=load,
        is_supervised=parent_pid is not None,
        watcher=display,
        ready_file=parsed.settings.get("ready_file"),
    )


class CoreDisplay:
    """What a person sees on stderr when a core runs alone; see ``service.api.server.watcher.Watcher``."""

    def __init__(self, config: CoreConfig, file: ModelFileFacts, stream: TextIO | None = None) -> None:
        keys = api_keys.masked(config.api_keys) if config.api_keys else ""
        self._facts = BannerFacts(model=BannerModel.of(config, file), api_keys=keys, grpc_tls=tls_text(config))
        self._stream = stream
        self._drain_timeout_s = config.drain_timeout_s
        self._display = StartupDisplay(self._facts, stream)
        self._was_ready = False

    def refused(self, reason: str) -> None:
        """It cannot even listen, and ends."""
        self._display.refused(reason)

    def listening(self, addresses: Sequence[str]) -> None:
        """It listens, and loads the model."""
        self._display = StartupDisplay(replace(self._facts, grpc=addresses), self._stream)
        self._display.loading(0.0)

    def ready(self) -> None:
        """It serves."""
        self._was_ready = True
        self._display.ready()

    def failed(self, message: str) -> None:
        """The model cannot be served; a core that served ends then."""
        if self._was_ready:
            self._display.refused(message)
        else:
            self._display.failed(message)

    def stopping(self, *, is_ready: bool) -> None:
        """It was asked to stop."""
        self._display.stopping(self._drain_timeout_s, is_ready=is_ready)


def warn_without_gpu(parsed: Parsed) -> None:
    """Log which options for GPUs were given to a library without GPU support."""
    used = [
        taken[0]
        for option, taken in parsed.used
        if option in GPU.options and (isinstance(option, Value) or (isinstance(option, Flag) and option.sets))
    ]
    if not used:
        return

    from service.llama.host.library import load_library

    if not load_library().api.llama_supports_gpu_offload():
        logger.warning(
            "%s: without effect, the llama.cpp library was built without GPU support", ", ".join(dict.fromkeys(used))
        )
