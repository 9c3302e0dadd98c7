"""The llama.cpp implementation of the engine's model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from service.engine.model import Logits, ModelInfo, Segment
from service.llama.context import Context
from service.llama.grammar import LlamaGrammar
from service.llama.vocabulary import LlamaVocabulary
from service.llama.weights import Weights


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a loaded model tells about itself.

    Attributes:
        name: ``general.name``, empty if the file has none.
        family: the architecture, for example "llama".
        description: architecture, size and quantisation in a few words.
        n_params: number of parameters.
        size_bytes: bytes of all tensors.
        n_embd: length of a hidden state.
        n_ctx_train: context the model was trained with, in tokens.
        n_ctx: KV cells that all slots share, as asked for; the training context if 0 was asked for.
        chat_template: Jinja text, None if the model has none.
        has_fim: whether the vocabulary has the tokens for infill.
        pooling: how the model makes an embedding of its hidden states: none, mean, cls, last or rank.
    """

    name: str
    family: str
    description: str
    n_params: int
    size_bytes: int
    n_embd: int
    n_ctx_train: int
    n_ctx: int
    chat_template: str | None
    has_fim: bool
    pooling: str


class LlamaModel:
    """A ``LanguageModel`` on llama.cpp; owns the weights and the context.

    Belongs to one thread, but for ``info``, ``facts``, ``vocabulary`` and ``piece``. Use as a context manager, or call
    ``close``.
    """

    def __init__(self, weights: Weights, context: Context) -> None:
        self._weights = weights
        self._context = context
        vocabulary = weights.vocabulary
        self._vocabulary = vocabulary
        self._info = ModelInfo(
            n_vocab=vocabulary.n_vocab,
            n_cells=context.n_cells,
            n_batch=context.n_batch,
            n_seq_max=context.n_seq_max,
            n_ctx_train=weights.n_ctx_train,
            eog_tokens=vocabulary.eog_tokens,
            nl_token=-1 if vocabulary.nl_token is None else vocabulary.nl_token,
            bos_token=vocabulary.bos_token if vocabulary.adds_bos and vocabulary.bos_token is not None else -1,
            can_shift=context.can_shift,
        )
        self._facts = ModelFacts(
            name=weights.name,
            family=weights.architecture,
            description=weights.description,
            n_params=weights.n_params,
            size_bytes=weights.size_bytes,
            n_embd=weights.n_embd,
            n_ctx_train=weights.n_ctx_train,
            n_ctx=context.n_cells,
            chat_template=weights.chat_template,
            has_fim=vocabulary.fim_tokens is not None,
            pooling=context.pooling,
        )

    def __enter__(self) -> LlamaModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free context and weights. May be called again."""
        self._context.close()
        self._weights.close()

    @property
    def info(self) -> ModelInfo:
        """Facts for the engine; any thread."""
        return self._info

    @property
    def facts(self) -> ModelFacts:
        """Facts for people; any thread."""
        return self._facts

    @property
    def vocabulary(self) -> LlamaVocabulary:
        """The tokens; any thread."""
        return self._vocabulary

    def decode(self, segments: Sequence[Segment]) -> None:
        """Evaluate segments in one call."""
        self._context.decode(segments)

    def logits(self, index: int) -> Logits:
        """The logits after a segment of the last ``decode``."""
        return self._context.logits(index)

    def remove(self, seq_id: int, start: int, end: int) -> bool:
        """Remove positions of a sequence."""
        return self._context.remove(seq_id, start, end)

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Move positions of a sequence."""
        self._context.shift(seq_id, start, end, delta)

    def position_max(self, seq_id: int) -> int:
        """Highest position of a sequence, or -1."""
        return self._context.position_max(seq_id)

    def piece(self, token: int) -> bytes:
        """Bytes of a token; any thread."""
        return self._vocabulary.piece(token)

    def grammar(self, text: str) -> LlamaGrammar:
        """A new grammar, at its beginning."""
        return self._vocabulary.grammar(text)
