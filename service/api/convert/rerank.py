"""``RerankRequest`` to ``EmbeddingRequest``, and scores to ``RerankResponse``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from service.api.convert.checks import count_at_most, size_at_most
from service.api.convert.embedding import InputBound, bound_on_input, max_inputs
from service.engine.language_model import Pooling, Rows
from service.engine.request.requests import EmbeddingRequest
from service.errors import EngineFailure, InvalidArgument, NotSupported
from service.prompts.paced import TooManyTokens
from service.prompts.pairs import PairTokenizer
from slotline.v1 import rerank_pb2, tokens_pb2

if TYPE_CHECKING:
    from service.api.served_model import ServedModel


def can_rerank(model: ServedModel) -> bool:
    """Whether a model scores pairs of texts."""
    return model.info.pooling is Pooling.RANK and not model.info.can_generate


def rerank_request(request: rerank_pb2.RerankRequest, model: ServedModel) -> EmbeddingRequest:
    """What the engine is asked for: a pair for each document. Tokenises, so it may take a while.

    Raises:
        NotSupported: the model does not score pairs of texts.
        InvalidArgument: a field has a value that is not allowed.
        ContextLengthExceeded: a document is too long beside the query.
    """
    if not can_rerank(model):
        raise NotSupported("this model does not score pairs of texts; serve a reranker (pooling type rank)")
    if not request.query:
        raise InvalidArgument("query", "is empty; allowed is any other text")
    if not request.documents:
        raise InvalidArgument("documents", "is empty; at least one document is needed")
    count_at_most("documents", len(request.documents), max_inputs(model))
    size_at_most("documents", request.ByteSize(), model.limits.max_prompt_bytes)
    bound = bound_on_input(model)
    bound = replace(bound, allowed=f"{bound.allowed}, of query and document together")
    try:
        pairs = PairTokenizer(request.query, model.bounded(bound.most).vocabulary, model.facts.rerank_template)
    except TooManyTokens as error:
        raise bound.exceeded("query", error.n_tokens, is_exact=False) from None
    return EmbeddingRequest(
        tuple(
            _fitting_pair(pairs, document, model, bound, f"documents[{index}]")
            for index, document in enumerate(request.documents)
        )
    )


def rerank_response(prepared: EmbeddingRequest, scores: Rows) -> rerank_pb2.RerankResponse:
    """The answer.

    Args:
        prepared: what the engine was asked for.
        scores: what it gave: float32, shape (documents, 1).

    Raises:
        EngineFailure: a score is no finite number.
    """
    if not np.isfinite(scores).all():
        raise EngineFailure("the model gave a score that is not a finite number")
    usage = tokens_pb2.Usage(prompt_tokens=sum(map(len, prepared.inputs)))
    return rerank_pb2.RerankResponse(scores=scores[:, 0].tolist(), usage=usage)


def _fitting_pair(
    pairs: PairTokenizer, document: str, model: ServedModel, bound: InputBound, field: str
) -> tuple[int, ...]:
    if not document:
        raise InvalidArgument(field, "is empty; allowed is any other text")
    try:
        tokens = pairs.tokenize(document, model.bounded(bound.most).vocabulary)
    except TooManyTokens as error:
        raise bound.exceeded(field, pairs.n_head + error.n_tokens, is_exact=False) from None
    if len(tokens) > bound.most:
        raise bound.exceeded(field, len(tokens))
    return tuple(tokens)
