"""llama.cpp as a core's model. The native library is bound late: listeners need not wait for it."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.api.served_model import LoadedModel
    from service.config import CoreConfig, MediaOptions, ModelConfig
    from service.media.encoder import PictureEncoder


def load_llama(config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
    """Load a model with llama.cpp, as ``service.api.core.loading.Load`` wants it."""
    from service.llama.loader import load

    return load(config, on_progress=on_progress)


def make_encoder(
    options: MediaOptions, model: ModelConfig, n_whole: int, is_computing: Callable[[], bool]
) -> PictureEncoder:
    """Encode pictures in a process of their own, as ``service.api.core.loading.MakeEncoder`` wants it."""
    from service.media.worker_encoder import WorkerEncoder

    return WorkerEncoder(options, model, n_whole, is_computing)


def with_known_context(config: CoreConfig) -> CoreConfig:
    """The configuration with a context size of 0 replaced by what the model file says."""
    if config.model.n_ctx:
        return config
    from service.llama.files.preflight import check_model_file

    # A file that cannot be read is found again by loading it, which ends in state FAILED with the same text.
    with contextlib.suppress(ServiceError):
        facts = check_model_file(config.model)
        return replace(config, model=replace(config.model, n_ctx=facts.n_ctx_train))
    return config
