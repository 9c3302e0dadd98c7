"""Decoders that score pairs of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from service.config import ModelConfig, Pooling
from service.engine.language_model import DecodeFailed
from service.llama.llama_model import LlamaEncoder
from service.llama.loader import load
from tests.support.tiny_decoding_ranker import DECODING_RANKER, TEMPLATE, expected
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Pairs shorter and longer than a batch.
PAIRS = [("hello", "world"), ("a", "b" * 100), ("query", "c" * 180), ("x", "y" * 300)]


@pytest.fixture
def scorer(tmp_path: Path) -> Iterator[LlamaEncoder]:
    path = write_tiny_gguf(tmp_path / "ranker.gguf", DECODING_RANKER)
    with load(ModelConfig(str(path), n_ctx=0, n_threads=1)) as model:
        assert isinstance(model, LlamaEncoder)
        yield model


def tokens(scorer: LlamaEncoder, query: str, document: str) -> list[int]:
    text = TEMPLATE.replace("{query}", query).replace("{document}", document)
    return scorer.vocabulary.tokenize(text, parse_special=True)


def test_it_generates_nothing_and_says_that_scores_are_probabilities(scorer: LlamaEncoder) -> None:
    info = scorer.info
    assert (info.can_generate, info.pooling, info.scores_are_probabilities) == (False, Pooling.RANK, True)
    assert (info.n_hidden, info.n_embd) == (DECODING_RANKER.n_ctx_train, 1)
    assert scorer.facts.rerank_template == TEMPLATE


@pytest.mark.parametrize(("query", "document"), PAIRS)
def test_a_score_is_that_of_the_formula_however_long_the_pair_is(
    scorer: LlamaEncoder, query: str, document: str
) -> None:
    score, length = expected(query, document)
    pair = tokens(scorer, query, document)
    assert len(pair) == length
    assert scorer.encoder.encode([pair])[0, 0] == pytest.approx(score, abs=2e-3)


def test_pairs_do_not_influence_each_other(scorer: LlamaEncoder) -> None:
    pairs = [tokens(scorer, "q", letter * length) for letter, length in (("a", 3), ("b", 30), ("c", 200), ("d", 5))]
    alone = np.concatenate([scorer.encoder.encode([pair]) for pair in pairs])
    np.testing.assert_allclose(scorer.encoder.encode(pairs), alone, atol=2e-3)
    np.testing.assert_allclose(scorer.encoder.encode(pairs[::-1]), alone[::-1], atol=2e-3)


def test_what_cannot_be_scored_is_refused_and_harms_nothing(scorer: LlamaEncoder) -> None:
    for inputs in ([], [[65], []], [[65] * 513], [[100_000]], [[65]] * 65):
        with pytest.raises(DecodeFailed):
            scorer.encoder.encode(inputs)
    score, _ = expected(*PAIRS[0])
    assert scorer.encoder.encode([tokens(scorer, *PAIRS[0])])[0, 0] == pytest.approx(score, abs=2e-3)
