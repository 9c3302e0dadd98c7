"""The llama.cpp implementation of the engine's model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.engine.language_model import DecodeFailed, Logits, ModelInfo, Pooling, Rows, SavedSequence, Segment
from service.llama.context.encoder import EncoderContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.llama.context.context import Context
    from service.llama.context.weights import Weights
    from service.llama.grammar import LlamaGrammar
    from service.llama.vocabulary import LlamaVocabulary

#: ``llama_pooling_type``.
_POOLINGS = {1: Pooling.MEAN, 2: Pooling.CLS, 3: Pooling.LAST}
_RANK = 4


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
        n_ctx: KV cells that all slots share, as asked for; the training context if 0 was asked for. Of an encoder the
            most tokens of an input.
        chat_template: Jinja text, None if the model has none.
        has_fim: whether the vocabulary has the tokens for infill.
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


class LlamaModel:
    """A ``LanguageModel`` on llama.cpp; owns the weights and the context.

    Belongs to one thread, but for ``info``, ``facts``, ``vocabulary`` and ``token_bytes``. Use as a context manager, or
    call ``close``.
    """

    def __init__(self, weights: Weights, context: Context | EncoderContext) -> None:
        self._weights = weights
        self._context = context
        vocabulary = weights.vocabulary
        self._vocabulary = vocabulary
        pooling = _POOLINGS.get(weights.pooling_type, Pooling.LAST)
        self._info = ModelInfo(
            n_vocab=vocabulary.n_vocab,
            n_cells=context.n_cells,
            n_batch=context.n_batch,
            n_logits=context.n_logits,
            n_seq_max=context.n_seq_max,
            n_embd=context.n_embd,
            # What a reranker makes of its states is no embedding.
            n_hidden=0 if weights.pooling_type == _RANK else context.n_hidden,
            pooling=context.pooling if isinstance(context, EncoderContext) else pooling,
            can_generate=not isinstance(context, EncoderContext),
            # No input of an encoder may be longer than either.
            n_ctx_train=min(weights.n_ctx_train, context.n_cells)
            if isinstance(context, EncoderContext)
            else weights.n_ctx_train,
            eog_tokens=vocabulary.eog_tokens,
            nl_token=-1 if vocabulary.nl_token is None else vocabulary.nl_token,
            bos_token=vocabulary.bos_token if vocabulary.adds_bos and vocabulary.bos_token is not None else -1,
            can_shift=context.can_shift,
            can_cut=context.can_cut,
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

    @property
    def cells_free(self) -> int:
        """KV cells that no sequence holds."""
        return self._context.kv.cells.free

    def decode(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        """Evaluate segments in one call."""
        self._context.decode(segments, n_filler)

    def logits(self, index: int, place: int = 0) -> Logits:
        """Logits of a segment of the last ``decode``."""
        return self._context.logits(index, place)

    def hidden(self, segments: Sequence[Segment]) -> Rows:
        """Evaluate segments in one call for their hidden states."""
        return self._context.hidden(segments)

    def encode(self, inputs: Sequence[Sequence[int]]) -> Rows:
        """The embeddings of whole inputs, by an encoder."""
        if isinstance(self._context, EncoderContext):
            return self._context.encode(inputs)
        raise DecodeFailed(f"{len(inputs)} inputs cannot be encoded: this model generates text")

    def remove(self, seq_id: int, start: int, end: int) -> bool:
        """Remove positions of a sequence."""
        return self._context.kv.remove(seq_id, start, end)

    def fork(self, source: int, target: int, end: int) -> bool:
        """Let a sequence share positions of another one."""
        return self._context.kv.fork(source, target, end)

    def unshare(self, seq_id: int) -> None:
        """Give a sequence cells of its own."""
        self._context.kv.unshare(seq_id)

    def save(self, seq_id: int) -> SavedSequence:
        """Copy a sequence out of the cache."""
        return self._context.kv.save(seq_id)

    def restore(self, seq_id: int, saved: SavedSequence) -> None:
        """Copy a sequence back into the cache."""
        self._context.kv.restore(seq_id, saved)

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Move positions of a sequence."""
        self._context.kv.shift(seq_id, start, end, delta)

    def divide(self, seq_id: int, start: int, end: int, divisor: int) -> None:
        """Divide positions of a sequence."""
        self._context.kv.divide(seq_id, start, end, divisor)

    def position_max(self, seq_id: int) -> int:
        """Highest position of a sequence, or -1."""
        return self._context.kv.position_max(seq_id)

    def token_bytes(self, token: int) -> bytes:
        """Bytes of a token; any thread."""
        return self._vocabulary.token_bytes(token)

    def grammar(self, text: str) -> LlamaGrammar:
        """A new grammar, at its beginning."""
        return self._vocabulary.grammar(text)
