"""The embeddings of a published encoder, all-MiniLM-L6-v2, equal those of its formula.

Left out of the comparison of tokens are words that llama.cpp splits otherwise than the model's authors: it does not
take Korean syllables apart, drops vowel signs that are letters of their own, as in Hindi, and has no limit of 100
characters for a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from service.config import ModelConfig, Pooling
from service.llama.llama_model import LlamaEncoder
from service.llama.loader import load
from service.prompts.prompt import tokenize_embedding_input
from tests.support import numpy_bert
from tests.support.minilm import MiniLM, read_minilm
from tests.support.minilm_gguf import write_minilm
from tests.support.wordpiece import WordPiece

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.engine.language_model import Rows

TEXTS = [
    "",
    "a",
    "Hello, world!",
    "The capital of France is Paris.",
    "the CAPITAL of france is   paris",
    "Antidisestablishmentarianism's 12,345.67 $ (or 3.1415926535)?!",
    "!?.,;: --- ... `a^b~c|d<e>f+g=h$",
    "Gr\u00fc\u00dfe aus M\u00fcnchen, o\u00f9 \u00eates-vous ? \u0130stanbul",
    "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8 \u6f22\u5b57\u3002",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043a\u0430\u043a \u0434\u0435\u043b\u0430?",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "emoji \U0001f600 family \U0001f468\u200d\U0001f469\u200d\U0001f467 x",
    "\u200bzero\u00adwidth\ttab\nnew line\u3000wide",
    "def f(x):\n    return {'a': [x, 1_000]}  # comment\n",
    "The quick brown fox jumps over the lazy dog. " * 51,
]


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    """The published model."""
    return read_minilm()


@pytest.fixture(scope="module")
def model(minilm: MiniLM, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaEncoder]:
    """The same in llama.cpp."""
    path = write_minilm(tmp_path_factory.mktemp("models") / "minilm.gguf", minilm)
    with load(ModelConfig(str(path), n_ctx=0, n_threads=1)) as loaded:
        assert isinstance(loaded, LlamaEncoder)
        yield loaded


@pytest.fixture(scope="module")
def inputs(model: LlamaEncoder) -> list[list[int]]:
    """Tokens of the texts."""
    return [tokenize_embedding_input([text], model.vocabulary) for text in TEXTS]


@pytest.fixture(scope="module")
def rows(model: LlamaEncoder, inputs: list[list[int]]) -> Rows:
    """Embeddings of the texts, each on its own."""
    return np.concatenate([model.encoder.encode([tokens]) for tokens in inputs])


def cosine(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> float:
    """How well two directions agree."""
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


def test_the_model_says_what_it_is(model: LlamaEncoder) -> None:
    info = model.info
    assert (info.can_generate, info.pooling, info.n_embd, info.n_hidden) == (False, Pooling.MEAN, 384, 512)
    assert (model.facts.name, model.facts.family, model.facts.n_params) == ("all-MiniLM-L6-v2", "bert", 22_565_376)


def test_tokens_are_those_of_the_published_tokenizer(minilm: MiniLM, inputs: list[list[int]]) -> None:
    tokenizer = WordPiece(minilm.tokens)
    assert inputs == [tokenizer.tokenize(text) for text in TEXTS]
    assert inputs[0] == [minilm.tokens.index("[CLS]"), minilm.tokens.index("[SEP]")]
    assert len(inputs[-1]) == 512


def test_special_tokens_in_a_text_are_recognised(minilm: MiniLM, model: LlamaEncoder) -> None:
    tokens = tokenize_embedding_input(["one [SEP] two"], model.vocabulary)
    assert [minilm.tokens[token] for token in tokens] == ["[CLS]", "one", "[SEP]", "two", "[SEP]"]


@pytest.mark.parametrize("number", range(len(TEXTS)), ids=lambda number: ascii(TEXTS[number][:20]))
def test_embeddings_equal_those_of_the_formula(
    minilm: MiniLM, inputs: list[list[int]], rows: Rows, number: int
) -> None:
    n_heads = int(minilm.config["num_attention_heads"])
    expected = numpy_bert.encode(minilm.tensors, n_heads, inputs[number]).mean(axis=0)
    assert cosine(rows[number], expected) > 0.999
    np.testing.assert_allclose(np.linalg.norm(rows[number]), np.linalg.norm(expected), rtol=0.01)


def test_batches_of_inputs_give_the_same(model: LlamaEncoder, inputs: list[list[int]], rows: Rows) -> None:
    short = [index for index, tokens in enumerate(inputs) if len(tokens) < 40]
    together = model.encoder.encode([inputs[index] for index in short])
    assert min(cosine(row, rows[index]) for row, index in zip(together, short, strict=True)) > 0.99999
    np.testing.assert_allclose(together, rows[short], atol=0.01)


def test_meaning_decides_about_nearness(model: LlamaEncoder) -> None:
    texts = ["A cat sits on the sofa.", "A kitten is lying on the couch.", "Interest rates were raised again."]
    cat, kitten, rates = model.encoder.encode([tokenize_embedding_input([text], model.vocabulary) for text in texts])
    assert cosine(cat, kitten) > 0.5 > 0.2 > cosine(cat, rates)
