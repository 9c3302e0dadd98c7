"""``RerankRequest`` to ``EmbeddingRequest``, and scores to ``RerankResponse``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from service.api.convert.checks import count_at_most, size_at_most
from service.api.convert.embedding import bound_on_input, max_inputs
from service.config import Pooling
from service.engine.request.requests import EmbeddingRequest
from service.errors import EngineFailure, InvalidArgument, NotSupported
from service.prompts.paced import TooManyTokens
from service.prompts.pairs import PairTokenizer
from slotline.v1 import rerank_pb2, tokens_pb2

if TYPE_CHECKING:
    from service.api.served_model import ServedModel
    from service.engine.language_model import ModelInfo, Rows
    from service.prompts.vocabulary import Vocabulary


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
    if request.HasField("max_document_tokens") and not request.max_document_tokens:
        raise InvalidArgument("max_document_tokens", "is 0; allowed is at least 1")
    if request.truncation not in rerank_pb2.Truncation.values():
        allowed = ", ".join(rerank_pb2.Truncation.keys())
        raise InvalidArgument("truncation", f"is {request.truncation}; allowed are {allowed}")
    size_at_most("documents", request.ByteSize(), model.limits.max_prompt_bytes)
    fitting = FittingPairs(request, model)
    return EmbeddingRequest(tuple(fitting.tokens(number) for number in range(len(request.documents))))


def rerank_response(
    request: rerank_pb2.RerankRequest, prepared: EmbeddingRequest, scores: Rows, info: ModelInfo
) -> rerank_pb2.RerankResponse:
    """The answer.

    Args:
        request: how the scores are wanted.
        prepared: what the engine was asked for.
        scores: what it gave: float32, shape (documents, 1).
        info: facts about the model.

    Raises:
        EngineFailure: a score is no finite number.
    """
    if not np.isfinite(scores).all():
        raise EngineFailure("the model gave a score that is not a finite number")
    if request.normalize and not info.scores_are_probabilities:
        # This is 1 / (1 + exp(-score)), but nothing in it overflows.
        scores = (0.5 * (1.0 + np.tanh(0.5 * scores.astype(np.float64)))).astype(np.float32)
    usage = tokens_pb2.Usage(prompt_tokens=sum(map(len, prepared.inputs)))
    return rerank_pb2.RerankResponse(scores=scores[:, 0].tolist(), usage=usage)


class FittingPairs:
    """The pairs of a request as tokens, none longer than the model takes.

    Args:
        request: the query and the documents.
        model: what scores them.

    Raises:
        ContextLengthExceeded: the query is too long.
    """

    def __init__(self, request: rerank_pb2.RerankRequest, model: ServedModel) -> None:
        self._request = request
        self._model = model
        bound = bound_on_input(model)
        self._bound = replace(bound, allowed=f"{bound.allowed}, of query and document together")
        try:
            self._pairs = PairTokenizer(request.query, self._bounded(), model.facts.rerank_template)
        except TooManyTokens as error:
            raise self._bound.exceeded("query", error.n_tokens, is_exact=False) from None

    def tokens(self, number: int) -> tuple[int, ...]:
        """The query and document ``number``.

        Raises:
            InvalidArgument: the document is empty.
            ContextLengthExceeded: it is too long, or no room is left for it.
        """
        request, field = self._request, f"documents[{number}]"
        document = request.documents[number]
        if not document:
            raise InvalidArgument(field, "is empty; allowed is any other text")
        if request.HasField("max_document_tokens"):
            limit = request.max_document_tokens
            own = self._pairs.tokenize_document(document, self._model.vocabulary, self._needed(limit))
            if len(own) > limit:
                return self._shortened(own, limit, field)
        try:
            tokens = self._pairs.tokenize(document, self._bounded())
        except TooManyTokens as error:
            n_tokens, is_exact = self._pairs.n_head + error.n_tokens, False
        else:
            if len(tokens) <= self._bound.most:
                return tuple(tokens)
            n_tokens, is_exact = len(tokens), True
        if not request.truncation:
            raise self._bound.exceeded(field, n_tokens, is_exact=is_exact)
        most = self._bound.most
        own = self._pairs.tokenize_document(document, self._model.vocabulary, self._needed(most))
        return self._shortened(own, most, field)

    def _shortened(self, document: list[int], limit: int, field: str) -> tuple[int, ...]:
        """The query and at most ``limit`` tokens of a document, as many as fit if the rest may be left out."""
        try:
            frame = self._pairs.around((), self._bounded())
        except TooManyTokens as error:
            # With a template, only here the query is tokenised.
            raise self._bound.exceeded("query", error.n_tokens, is_exact=False) from None
        if self._request.truncation:
            limit = min(limit, self._bound.most - len(frame))
        if limit < 1:
            raise self._bound.exceeded("query", len(frame) + 1)
        cut = document[-limit:] if self._request.truncation == rerank_pb2.TRUNCATION_START else document[:limit]
        tokens = self._pairs.around(cut, self._bounded())
        if len(tokens) > self._bound.most:
            raise self._bound.exceeded(field, len(tokens))
        return tuple(tokens)

    def _needed(self, limit: int) -> int | None:
        """How many tokens of a document suffice to cut it to ``limit``; None for all of them."""
        return None if self._request.truncation == rerank_pb2.TRUNCATION_START else limit

    def _bounded(self) -> Vocabulary:
        return self._model.bounded(self._bound.most).vocabulary
