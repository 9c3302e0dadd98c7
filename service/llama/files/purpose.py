"""What a model is served for: to generate text, to make embeddings, or to score pairs of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.config import ModelConfig, Pooling
from service.errors import InvalidArgument
from service.llama.files.metadata import Metadata, is_encoder, own_pooling
from service.llama.load_errors import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Collection

#: What makes a score of a state. A model may have one or both; the library loads no others.
_CLASSIFIERS = ("cls.weight", "cls.output.weight")
#: Architectures whose scores the library puts through a softmax over the classes.
_SCORE_BY_SOFTMAX = frozenset({"qwen3", "qwen3vl"})


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a model is served for.

    Attributes:
        generates: it generates text, and may make embeddings beside that.
        is_decoder: its tokens see only what is in front of them, and it has a KV cache.
        pooling: how it makes an embedding of the states of a text. A model that generates and has ``Pooling.RANK``
            makes none.
        scores_are_probabilities: its scores of pairs are from 0 to 1.
    """

    generates: bool
    is_decoder: bool
    pooling: Pooling
    scores_are_probabilities: bool


def purpose_of(config: ModelConfig, metadata: Metadata, tensors: Collection[str]) -> Purpose:
    """What a model is served for.

    Args:
        config: the options; checked.
        metadata: of the file, with what is overridden; checked.
        tensors: names of its tensors.

    Raises:
        InvalidArgument: two options contradict each other.
        ModelLoadError: it shall score pairs of texts and cannot.
    """
    if config.reranking and config.pooling not in (None, Pooling.RANK):
        raise InvalidArgument("pooling", f"is {config.pooling.value!r}; allowed with `reranking`: 'rank'")
    asked = Pooling.RANK if config.reranking else config.pooling
    pooling = asked or own_pooling(metadata)
    is_decoder = not is_encoder(metadata)
    can_score = any(name in tensors for name in _CLASSIFIERS)
    if pooling is Pooling.RANK and not can_score and (asked or not is_decoder):
        option = "`reranking` asks for" if config.reranking else "`pooling` asks for" if asked else "its metadata says"
        raise ModelLoadError(
            f"model file {config.path} is no reranker as {option}: it has no classifier "
            f"({' or '.join(_CLASSIFIERS)}) that makes scores"
        )
    return Purpose(
        generates=is_decoder and not (pooling is Pooling.RANK and can_score),
        is_decoder=is_decoder,
        pooling=pooling,
        scores_are_probabilities=pooling is Pooling.RANK and metadata["general.architecture"] in _SCORE_BY_SOFTMAX,
    )
