"""Samplers that llama.cpp has, too, against its own: dry, xtc and adaptive_p, on the default model's vocabulary."""

from __future__ import annotations

import contextlib
import ctypes
import math
from typing import TYPE_CHECKING, Any

import llama_cpp
import numpy as np
import numpy.typing as npt
import pytest

from service.config import ModelConfig
from service.llama.loader import load
from service.prompts.breakers import BreakerFinder
from service.sampling.adaptive import AdaptiveP
from service.sampling.candidates import Candidates
from service.sampling.dry import RepeatedSequences
from service.sampling.settings import DEFAULT_BREAKERS
from service.sampling.xtc import Xtc
from slotline.cli.default_model import default_model_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.llama.llama_model import LlamaModel

Row = npt.NDArray[np.float32]
#: Texts with repetitions, across breakers and without.
TEXTS = [
    "the cat sat on the mat and the cat sat on the",
    "1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2,",
    "Name: Anna\nAge: 3\nName: Bert\nAge: 4\nName:",
    "He said stop. He said stop. He said st",
    "a b a b a b a b a b a",
]


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaModel]:
    """The default model."""
    loaded: Any = load(ModelConfig(path=str(default_model_path()), n_ctx=256), on_progress=lambda _: True)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def vocab() -> Iterator[Any]:
    """The library's own view of its vocabulary."""
    options = llama_cpp.llama_model_default_params()
    options.vocab_only = True
    pointer = llama_cpp.llama_model_load_from_file(str(default_model_path()).encode(), options)
    assert pointer is not None
    yield llama_cpp.llama_model_get_vocab(pointer)
    llama_cpp.llama_model_free(pointer)


class LibrarySampler:
    """One of the library's samplers."""

    def __init__(self, pointer: Any) -> None:
        self.pointer = pointer

    def accept(self, token: int) -> None:
        """Tell it of a token."""
        llama_cpp.llama_sampler_accept(self.pointer, token)

    def apply(self, row: Row) -> tuple[dict[int, float], int]:
        """The candidates that it leaves with their logits, and which of them it has chosen."""
        entries: Any = (llama_cpp.llama_token_data * len(row))()
        for token, logit in enumerate(row.tolist()):
            entries[token].id, entries[token].logit = token, logit
        array: Any = llama_cpp.llama_token_data_array(entries, len(row), -1, False)
        llama_cpp.llama_sampler_apply(self.pointer, ctypes.byref(array))
        left = [array.data[i] for i in range(array.size)]
        chosen = left[array.selected].id if array.selected >= 0 else -1
        return {one.id: one.logit for one in left}, chosen


@contextlib.contextmanager
def library(pointer: Any) -> Iterator[LibrarySampler]:
    """One of the library's samplers, freed at the end."""
    try:
        yield LibrarySampler(pointer)
    finally:
        llama_cpp.llama_sampler_free(pointer)


def row_of(n_vocab: int, seed: int) -> Row:
    return np.random.default_rng(seed).normal(scale=3.0, size=n_vocab).astype(np.float32)


@pytest.mark.parametrize("breakers", [DEFAULT_BREAKERS, (), ("stop", " cat", ", 3")], ids=str)
@pytest.mark.parametrize(("allowed", "last_n"), [(2, 64), (1, 8), (0, 64)])
def test_dry_agrees_with_the_library(
    model: LlamaModel, vocab: Any, breakers: tuple[str, ...], allowed: int, last_n: int
) -> None:
    found = BreakerFinder(model.vocabulary).find(breakers)
    texts = (ctypes.c_char_p * len(breakers))(*(text.encode() for text in breakers))
    n_penalised = 0
    for text in TEXTS:
        tokens = model.vocabulary.tokenize(text, parse_special=False)
        ours = RepeatedSequences([], length=last_n, multiplier=0.8, base=1.75, allowed_length=allowed, breakers=found)
        pointer = llama_cpp.llama_sampler_init_dry(vocab, 0.8, 1.75, allowed, last_n, texts, len(breakers))
        with library(pointer) as theirs:
            for token in tokens:
                ours.accept(token)
                theirs.accept(token)
            row = row_of(model.info.n_vocab, len(tokens))
            left, _ = theirs.apply(row)
        penalised = row.copy()
        ours.apply(penalised)
        expected = np.array([left[token] for token in range(len(row))], np.float32)
        n_penalised += int(np.count_nonzero(expected != row))
        np.testing.assert_allclose(penalised, expected, rtol=1e-5)
    assert n_penalised


@pytest.mark.parametrize("threshold", [0.05, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("min_keep", [1, 3])
def test_xtc_agrees_with_the_library(threshold: float, min_keep: int) -> None:
    for seed in range(20):
        row = row_of(40, seed)
        with library(llama_cpp.llama_sampler_init_xtc(1.0, threshold, min_keep, 1)) as theirs:
            left, _ = theirs.apply(row)
        ours = Xtc(1.0, threshold, min_keep, 1)(Candidates.whole(row))
        assert set(ours.ids.tolist()) == left.keys()


def test_adaptive_p_agrees_with_the_library() -> None:
    ours = AdaptiveP(0.3, 0.8)
    with library(llama_cpp.llama_sampler_init_adaptive_p(0.3, 0.8, 1)) as theirs:
        for seed in range(20):
            row = row_of(30, seed)
            left, chosen = theirs.apply(row)
            candidates = Candidates.whole(row)
            adapted = ours.transform(candidates)
            # The library divides by the sum after it has computed the logits.
            expected = np.array([left[token] for token in range(len(row))])
            np.testing.assert_allclose(adapted.logits, expected, atol=2e-3)
            theirs.accept(chosen)
            ours.observe(candidates.probability(chosen))
            assert math.isfinite(ours.aim)
