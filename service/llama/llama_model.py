"""The llama.cpp implementations of the engine's models: weights and a context, which are the facets themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from service.config import Pooling
from service.engine.language_model import ModelInfo
from service.model_facts import ModelFacts

if TYPE_CHECKING:
    from service.llama.context.context import Context
    from service.llama.context.encoder import EncoderContext
    from service.llama.context.weights import Weights
    from service.llama.files.purpose import Purpose
    from service.llama.host.library import Library


class _LoadedModel:
    """Weights and a context, both of which it owns. Use as a context manager, or call ``close``.

    Attributes:
        vocabulary: the tokens; any thread.
        facts: what the file says; any thread.
    """

    def __init__(self, weights: Weights, context: Context | EncoderContext) -> None:
        self._weights = weights
        self._context = context
        self.vocabulary = weights.vocabulary
        self.facts = ModelFacts(
            name=weights.name,
            family=weights.architecture,
            description=weights.description,
            n_params=weights.n_params,
            size_bytes=weights.size_bytes,
            n_embd=weights.n_embd,
            n_ctx_train=weights.n_ctx_train,
            chat_template=weights.chat_template,
            rerank_template=weights.rerank_template,
            file_type=weights.file_type,
            vocabulary_type=weights.vocabulary.kind,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free context and weights. May be called again."""
        self._context.close()
        self._weights.close()


class LlamaModel(_LoadedModel):
    """A ``CausalModel`` on llama.cpp.

    Attributes:
        info: facts for the engine; any thread.
        compute: the context.
        memory: its KV cache.
        interruption: ends calls of the context early, if that is possible.
        draft: a smaller model for guesses, which this one owns; None without.
    """

    def __init__(self, weights: Weights, context: Context, purpose: Purpose, sequence_format: str = "") -> None:
        super().__init__(weights, context)
        self.draft: LlamaModel | None = None
        self.compute = context
        self.memory = context.kv
        self.interruption = context.interruption
        vocabulary = weights.vocabulary
        self.info = ModelInfo(
            n_vocab=vocabulary.n_vocab,
            n_cells=context.n_cells,
            n_batch=context.n_batch,
            n_logits=context.n_logits,
            n_seq_max=context.n_seq_max,
            n_embd=context.n_embd,
            # What a reranker makes of its states is no embedding.
            n_hidden=0 if purpose.pooling is Pooling.RANK else context.n_hidden,
            pooling=purpose.pooling,
            can_generate=True,
            n_ctx_train=weights.n_ctx_train,
            eog_tokens=vocabulary.eog_tokens,
            nl_token=-1 if vocabulary.nl_token is None else vocabulary.nl_token,
            bos_token=vocabulary.prompt_bos_token,
            can_shift=context.can_shift,
            can_cut=context.can_cut,
            n_embd_input=context.row_limits.n_embd,
            has_grid=context.row_limits.has_grid,
            n_whole=context.row_limits.n_whole,
            sequence_format=sequence_format,
            adapters=weights.adapters.infos,
            adapter_scales=weights.adapters.scales,
        )

    @property
    def library(self) -> Library:
        """The library that it belongs to."""
        return self._weights.library

    def close(self) -> None:
        """Free all of it, the draft model too. May be called again."""
        if self.draft is not None:
            self.draft.close()
        super().close()


class LlamaEncoder(_LoadedModel):
    """An ``EncoderModel`` on llama.cpp.

    Attributes:
        info: facts for the engine; any thread.
        encoder: the context.
    """

    def __init__(self, weights: Weights, context: EncoderContext, purpose: Purpose) -> None:
        super().__init__(weights, context)
        self.encoder = context
        vocabulary = weights.vocabulary
        self.info = ModelInfo(
            n_vocab=vocabulary.n_vocab,
            n_cells=context.n_tokens,
            n_batch=context.n_tokens,
            n_logits=0,
            n_seq_max=context.n_inputs,
            n_embd=context.n_embd,
            n_hidden=context.n_tokens,
            pooling=purpose.pooling,
            scores_are_probabilities=purpose.scores_are_probabilities,
            can_generate=False,
            # No input may be longer than either.
            n_ctx_train=min(weights.n_ctx_train, context.n_tokens),
            eog_tokens=vocabulary.eog_tokens,
            nl_token=-1 if vocabulary.nl_token is None else vocabulary.nl_token,
            bos_token=vocabulary.prompt_bos_token,
            can_shift=False,
            can_cut=False,
            adapters=weights.adapters.infos,
            adapter_scales=weights.adapters.scales,
        )
