"""From a ``ModelConfig`` to a model that is ready."""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from service.config import ModelConfig, NumaStrategy, Pooling
from service.llama.context.context import Context
from service.llama.context.decoding_scorer import DecodingScorer
from service.llama.context.encoder import EncoderContext
from service.llama.context.params import numa_strategy
from service.llama.context.weights import Weights
from service.llama.draft import open_draft
from service.llama.files.identity import sequence_format
from service.llama.files.preflight import ModelFileFacts, check_model_file
from service.llama.host.affinity import name_thread, spread_over_cpus
from service.llama.host.amx import amx_is_sound
from service.llama.host.library import load_library
from service.llama.host.logs import logger
from service.llama.host.time_slices import set_time_slice
from service.llama.llama_model import LlamaEncoder, LlamaModel
from service.llama.load_errors import ModelLoadAborted

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.engine.language_model import ModelInfo

#: Part of the progress when the weights are read; the context, the vocabulary and the first decode are the rest.
_WEIGHTS_SHARE = 0.9
#: The same when those of a draft model are, too.
_DRAFT_SHARE = 0.98


def load(
    config: ModelConfig, *, on_progress: Callable[[float], bool | None] = lambda _: None
) -> LlamaModel | LlamaEncoder:
    """Load a model, make its context, and warm both up. The calling thread must be the one that will use the model.

    If it is not the main thread, it and the threads that compute for it may be bound to CPUs; see ``affinity``.

    Args:
        config: which model, and how.
        on_progress: called with 0.0 first, 1.0 last, never less than before; loading is aborted if it returns False.

    Raises:
        InvalidArgument: an option has a value that is not allowed.
        ModelLoadAborted: ``on_progress`` returned False.
        ModelLoadError: the model cannot be loaded; the message says why.
    """
    started_s = time.monotonic()
    progress = _Monotonic(on_progress)
    progress.report(0.0)
    file_facts = check_model_file(config)
    # What the main thread starts later would inherit its CPU; with NUMA, the library places the threads.
    may_bind = threading.current_thread() is not threading.main_thread() and config.numa is NumaStrategy.DISABLED
    thread_name = name_thread() if may_bind else ""
    # Those that compute for the model have long slices, whatever the threads of this process have that pass things on.
    set_time_slice(None)
    library = load_library()
    # Effective once in a process; the library ignores later calls.
    library.api.llama_numa_init(numa_strategy(config))
    use_extra_buffers = amx_is_sound(library)
    with ExitStack() as on_failure:
        weights = on_failure.enter_context(
            Weights(
                library,
                config,
                lambda part: progress.advance(_WEIGHTS_SHARE * part),
                adapters=file_facts.adapters,
                use_extra_buffers=use_extra_buffers,
            )
        )
        progress.report(_WEIGHTS_SHARE)
        model, n_threads = _open_model(weights, config, file_facts)
        on_failure.callback(model.close)
        if isinstance(model, LlamaModel):
            model.draft = open_draft(
                config,
                file_facts,
                model,
                lambda part: progress.advance(_WEIGHTS_SHARE + (_DRAFT_SHARE - _WEIGHTS_SHARE) * part),
                use_extra_buffers=use_extra_buffers,
            )
        # A larger team for batches, or for the draft model, would be started later, on one CPU.
        if may_bind and _largest_team(config, n_threads) == n_threads:
            spread_over_cpus(thread_name, n_threads)
        progress.report(1.0)
        on_failure.pop_all()
    logger.info(
        "loaded %s (%s, %d MiB) in %.1f s: %s, %d of %d CPUs",
        config.path,
        model.facts.description,
        model.facts.size_bytes >> 20,
        time.monotonic() - started_s,
        _capacity(model.info),
        n_threads,
        os.cpu_count() or 0,
    )
    return model


def _open_model(weights: Weights, config: ModelConfig, facts: ModelFileFacts) -> tuple[LlamaModel | LlamaEncoder, int]:
    """The model, and the number of threads that compute for it."""
    purpose = facts.purpose
    if not purpose.generates:
        kind = DecodingScorer if purpose.is_decoder else EncoderContext
        encoder = kind(weights, config, facts.n_ctx, purpose.pooling)
        return LlamaEncoder(weights, encoder, purpose), encoder.n_threads
    context = Context(weights, config, facts.n_ctx)
    return LlamaModel(weights, context, purpose, sequence_format(config, facts.files)), context.n_threads


def _largest_team(config: ModelConfig, n_threads: int) -> int:
    """Most threads that compute at once, where ``n_threads`` do for steps of one token."""
    return max(n_threads, config.n_threads_batch or 0, config.n_threads_draft or 0)


def _capacity(info: ModelInfo) -> str:
    if info.can_generate:
        return f"{info.n_cells} cells for {info.n_seq_max} sequences"
    if info.pooling is Pooling.RANK:
        return f"scores of pairs of texts only, of up to {info.n_hidden} tokens"
    return f"embeddings only, of inputs of up to {info.n_hidden} tokens"


class _Monotonic:
    """Reports progress that only grows."""

    def __init__(self, on_progress: Callable[[float], bool | None]) -> None:
        self._on_progress = on_progress
        self._highest = -1.0

    def advance(self, progress: float) -> bool:
        """Report progress if there is any; whether to go on."""
        if progress <= self._highest:
            return True
        self._highest = progress
        return self._on_progress(progress) is not False

    def report(self, progress: float) -> None:
        """Report progress; raise ``ModelLoadAborted`` if loading shall not go on."""
        if not self.advance(progress):
            raise ModelLoadAborted
