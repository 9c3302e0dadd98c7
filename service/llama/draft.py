"""The draft model beside a model."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from service.llama.context.context import Context
from service.llama.context.weights import Weights
from service.llama.host.logs import logger
from service.llama.llama_model import LlamaModel
from service.llama.load_errors import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.config import ModelConfig
    from service.llama.files.preflight import ModelFileFacts


def open_draft(
    config: ModelConfig,
    facts: ModelFileFacts,
    model: LlamaModel,
    on_progress: Callable[[float], bool],
    *,
    use_extra_buffers: bool,
) -> LlamaModel | None:
    """Load the draft model, with a context of its own; None without one, or if the model could not try its guesses.

    Args:
        config: of the model.
        facts: of the model's files; checked.
        model: the model.
        on_progress: called with the loaded part, 0 to 1; loading is aborted if it returns False.
        use_extra_buffers: let the library rearrange weights for faster kernels.

    Raises:
        ModelLoadAborted: the callback asked for it.
        ModelLoadError: the draft model cannot be loaded, or is of no use.
    """
    draft_config = config.draft
    if draft_config is None or facts.draft is None:
        return None
    if not model.info.can_cut:
        logger.warning("the draft model is not loaded: this model cannot take back tokens that were tried")
        return None
    with ExitStack() as on_failure:
        weights = on_failure.enter_context(
            Weights(model.library, draft_config, on_progress, use_extra_buffers=use_extra_buffers)
        )
        draft = LlamaModel(weights, Context(weights, draft_config, facts.draft.n_ctx), facts.draft.purpose)
        on_failure.callback(draft.close)
        if not draft.info.can_cut:
            raise ModelLoadError(
                f"draft model file {draft_config.path} is of no use: it cannot take back tokens that were wrong; "
                "`draft_path` must name a model without recurrent layers and sliding windows"
            )
        on_failure.pop_all()
    logger.info(
        "loaded draft model %s (%s, %d MiB): %d cells",
        draft_config.path,
        draft.facts.description,
        draft.facts.size_bytes >> 20,
        draft.info.n_cells,
    )
    return draft
