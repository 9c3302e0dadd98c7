"""Encoders: embeddings of whole inputs, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config import KvOverride, ModelConfig, Pooling
from service.engine.language_model import CausalModel, DecodeFailed, EncoderModel, LanguageModel, Rows
from service.errors import InvalidArgument
from service.llama.files.preflight import check_model_file
from service.llama.host.encoder_memory import EncoderMemoryEstimate, estimate_encoder_memory
from service.llama.llama_model import LlamaEncoder
from service.llama.load_errors import ModelLoadError
from service.llama.loader import load
from tests.support.minilm_gguf import CLS, SEP, UNK, TinyEncoder, tiny_tensors, write_tiny_encoder
from tests.support.numpy_bert import encode

if TYPE_CHECKING:
    from pathlib import Path

LoadEncoder = Callable[..., LlamaEncoder]


@pytest.fixture
def load_encoder(tmp_path: Path) -> Iterator[LoadEncoder]:
    """Writes and loads an encoder with some options; closed in the end."""
    with ExitStack() as stack:

        def load_with(encoder: TinyEncoder | None = None, **options: Any) -> LlamaEncoder:
            path = write_tiny_encoder(tmp_path / "encoder.gguf", encoder)
            model = stack.enter_context(load(ModelConfig(str(path), **({"n_threads": 1, "n_ctx": 0} | options))))
            assert isinstance(model, LlamaEncoder)
            return model

        yield load_with


@pytest.fixture
def encoder(load_encoder: LoadEncoder) -> LlamaEncoder:
    """One for inputs of up to 64 tokens, whose mean it takes."""
    return load_encoder()


def inputs(*lengths: int) -> list[list[int]]:
    """Inputs of these lengths, all different."""
    random = np.random.default_rng(sum(lengths))
    return [[CLS, *random.integers(SEP + 1, 190, max(0, length - 2)).tolist(), SEP][:length] for length in lengths]


def cosines(rows: Rows, expected: Sequence[npt.NDArray[np.float64]]) -> list[float]:
    """How well the directions of vectors agree."""
    return [
        float(row @ other / np.linalg.norm(row) / np.linalg.norm(other))
        for row, other in zip(rows, expected, strict=True)
    ]


def test_an_encoder_says_what_it_can_do(encoder: LlamaEncoder) -> None:
    asked: LanguageModel = encoder
    info = asked.info
    assert not info.can_generate
    assert (info.n_hidden, info.n_cells, info.n_ctx_train, info.n_seq_max, info.n_embd) == (64, 64, 64, 64, 32)
    assert (info.pooling, info.can_shift) == (Pooling.MEAN, False)


@pytest.mark.parametrize(
    ("pooling", "name", "pool"),
    [
        (1, Pooling.MEAN, lambda states: states.mean(axis=0)),
        (2, Pooling.CLS, lambda states: states[0]),
        (3, Pooling.LAST, lambda states: states[-1]),
        (0, Pooling.MEAN, lambda states: states.mean(axis=0)),
        (None, Pooling.MEAN, lambda states: states.mean(axis=0)),
    ],
    ids=["mean", "cls", "last", "none", "not said"],
)
def test_states_are_pooled_as_the_model_says_and_not_scaled(
    load_encoder: LoadEncoder, pooling: int | None, name: Pooling, pool: Callable[[Any], Any]
) -> None:
    kind = TinyEncoder(pooling=pooling)
    model = load_encoder(kind)
    assert model.info.pooling is name
    texts = inputs(3, 1, 17, 64)
    rows = np.concatenate([model.encoder.encode([text]) for text in texts])
    expected = [pool(encode(tiny_tensors(kind), kind.n_heads, text)) for text in texts]
    assert min(cosines(rows, expected)) > 0.9999
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), np.linalg.norm(expected, axis=1), rtol=0.01)


def test_pooling_can_be_overridden(load_encoder: LoadEncoder) -> None:
    assert load_encoder(kv_overrides=(KvOverride("bert.pooling_type", 2),)).info.pooling is Pooling.CLS
    assert load_encoder(pooling=Pooling.LAST).info.pooling is Pooling.LAST


def test_without_pooling_each_token_has_its_state(load_encoder: LoadEncoder) -> None:
    kind = TinyEncoder()
    model = load_encoder(kind, pooling=Pooling.NONE)
    texts = inputs(3, 1, 17, 43)
    expected = [row for text in texts for row in encode(tiny_tensors(kind), kind.n_heads, text)]
    rows = model.encoder.encode(texts)
    assert rows.shape == (64, 32)
    assert min(cosines(rows, expected)) > 0.9999


@pytest.mark.parametrize(
    "lengths",
    [(5, 5), (1,) * 64, (16,) * 64, (1024,), (1, 700, 300, 23), (512, 512), (513, 511), (2, 3, 500, 8, 400, 100)],
    ids=lambda lengths: f"{len(lengths)} inputs of {min(lengths)} to {max(lengths)}",
)
def test_inputs_do_not_influence_each_other(load_encoder: LoadEncoder, lengths: tuple[int, ...]) -> None:
    model = load_encoder(TinyEncoder(n_ctx_train=1024))
    texts = inputs(*lengths)
    alone = np.concatenate([model.encoder.encode([text]) for text in texts])
    together = model.encoder.encode(texts)
    assert together.dtype == np.float32
    assert together.shape == (len(texts), 32)
    np.testing.assert_allclose(together, alone, atol=2e-3)
    np.testing.assert_allclose(model.encoder.encode(texts[::-1]), alone[::-1], atol=2e-3)


def test_embeddings_are_copies(encoder: LlamaEncoder) -> None:
    rows = encoder.encoder.encode(inputs(4, 5))
    kept = rows.copy()
    encoder.encoder.encode(inputs(6, 7))
    assert (rows == kept).all()


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([], "0 inputs in one call; allowed: 1 to 64"),
        ([[CLS]] * 65, "65 inputs in one call; allowed: 1 to 64"),
        ([[CLS], []], "input 1 has no tokens"),
        ([[CLS] * 65], "65 tokens in one call; allowed: 1 to 64"),
        ([[CLS] * 33, [CLS] * 32], "65 tokens in one call"),
        ([[-1]], "token -1 is outside the vocabulary of"),
        ([[CLS, 2**31 - 1]], "is outside the vocabulary of"),
    ],
    ids=["none", "too many", "empty", "too long", "too long together", "negative", "too high"],
)
def test_what_would_abort_the_process_is_refused(encoder: LlamaEncoder, texts: list[list[int]], told: str) -> None:
    with pytest.raises(DecodeFailed, match=told):
        encoder.encoder.encode(texts)
    assert encoder.encoder.encode([[CLS, SEP]]).shape == (1, 32)


def test_it_has_neither_sequences_nor_logits(encoder: LlamaEncoder) -> None:
    assert isinstance(encoder, EncoderModel)
    assert not isinstance(encoder, CausalModel)


def test_a_closed_encoder_refuses(encoder: LlamaEncoder) -> None:
    encoder.close()
    encoder.close()
    with pytest.raises(DecodeFailed, match="closed"):
        encoder.encoder.encode([[CLS]])


@pytest.mark.parametrize(("asked", "given_"), [(0, 64), (40, 40), (64, 64), (8192, 64)])
def test_an_input_is_never_longer_than_the_training_context(load_encoder: LoadEncoder, asked: int, given_: int) -> None:
    info = load_encoder(n_ctx=asked).info
    assert (info.n_hidden, info.n_ctx_train) == (given_, given_)


@pytest.mark.parametrize("n_ctx_train", [1, 63, 65, 255, 257, 600, 1000])
def test_any_training_context_will_do(load_encoder: LoadEncoder, n_ctx_train: int) -> None:
    model = load_encoder(TinyEncoder(n_ctx_train=n_ctx_train))
    assert model.encoder.encode([[CLS] * n_ctx_train]).shape == (1, 32)


def test_the_number_of_slots_does_not_matter(load_encoder: LoadEncoder) -> None:
    model = load_encoder(TinyEncoder(n_ctx_train=8), n_parallel=4)
    assert model.encoder.encode([[CLS] * 8]).shape == (1, 32)


def test_a_text_stands_between_cls_and_sep(encoder: LlamaEncoder) -> None:
    vocabulary = encoder.vocabulary
    assert (vocabulary.bos_token, vocabulary.sep_token, vocabulary.eos_token) == (CLS, SEP, None)
    assert (vocabulary.adds_bos, vocabulary.adds_sep, vocabulary.adds_eos) == (True, True, False)
    assert vocabulary.adds_sep_to_pairs
    tokens = vocabulary.tokenize("Hello WORLDing [SEP] \u6f22", parse_special=True)
    assert [vocabulary.token_bytes(token, special=True) for token in tokens] == [
        b" hello",
        b" world",
        b"ing",
        b"[SEP]",
        b"[UNK]",
    ]
    assert tokens[-1] == UNK


def test_text_without_tokens_is_refused_if_nothing_stands_for_it(load_encoder: LoadEncoder) -> None:
    vocabulary = load_encoder(TinyEncoder(tokens=("[CLS]", "[SEP]", "a", "##b"))).vocabulary
    assert vocabulary.tokenize("ab a", parse_special=True) == [2, 3, 2]
    with pytest.raises(InvalidArgument, match="has characters for which this model has no token"):
        vocabulary.tokenize("ab c", parse_special=True)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (TinyEncoder(pooling=5), "bert.pooling_type is 5, allowed: 0 (none), 1 (mean), 2 (cls), 3 (last), 4 (rank)"),
        (TinyEncoder(metadata={"bert.context_length": 63}), "has wrong shape"),
        (TinyEncoder(metadata={"bert.attention.key_length": 4}), "key_length is 4, allowed: that of the values, 8"),
        (TinyEncoder(metadata={"tokenizer.ggml.token_type_count": None}), "needs to define token type count"),
    ],
    ids=["pooling", "positions", "heads", "types"],
)
def test_an_encoder_that_cannot_be_used_is_refused(load_encoder: LoadEncoder, kind: TinyEncoder, told: str) -> None:
    with pytest.raises(ModelLoadError) as caught:
        load_encoder(kind)
    assert told in caught.value.message


def test_one_line_says_what_was_loaded(load_encoder: LoadEncoder, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "service.llama"):
        load_encoder()
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert "embeddings only, of inputs of up to 64 tokens" in line


def test_an_encoder_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    path = write_tiny_encoder(tmp_path / "encoder.gguf", TinyEncoder(n_ctx_train=8192))
    config = ModelConfig(str(path), n_ctx=0)
    needed = check_model_file(config, lambda: None).memory
    assert check_model_file(config, lambda: needed.total(8192)).n_ctx == 8192
    with pytest.raises(ModelLoadError, match="the largest context that fits is `n_ctx` 4096"):
        check_model_file(config, lambda: needed.total(4096))
    with pytest.raises(ModelLoadError, match="no context fits"):
        check_model_file(config, lambda: needed.fixed)


@given(
    st.builds(EncoderMemoryEstimate, *[st.integers(0, 1 << 30)] * 2, st.integers(1, 1 << 20), st.integers(1, 512)),
    st.integers(0, 1 << 36),
)
def test_the_largest_context_is_the_largest_one(memory: EncoderMemoryEstimate, available: int) -> None:
    largest = memory.largest_context(available)
    assert memory.total(largest + 1) > available
    assert memory.total(largest) <= available or largest == 0


@pytest.mark.parametrize(
    ("architecture", "options", "per_pair"),
    [("bert", {}, 2), ("gemma-embedding", {"attention.sliding_window": 512}, 4), ("t5encoder", {}, 8 + 4 * 12)],
)
def test_memory_grows_with_the_square_of_the_longest_input(
    architecture: str, options: dict[str, int], per_pair: int
) -> None:
    shape = {"embedding_length": 64, "feed_forward_length": 128, "attention.head_count": 4} | options
    metadata = {"general.architecture": architecture} | {f"{architecture}.{key}": shape[key] for key in shape}
    memory = estimate_encoder_memory(metadata, weights=1000, n_vocab=500)
    assert memory.per_pair == per_pair
    assert memory.per_token == 4 * (4 * 64 + 3 * 128 + 500 + 64)
    assert memory.total(100) == 1000 + memory.fixed + 100 * memory.per_token + 100**2 * per_pair
