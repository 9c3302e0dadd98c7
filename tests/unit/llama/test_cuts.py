"""Texts are cut where the library alone would find the same tokens, and often enough."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config import ModelConfig
from service.llama import cuts
from service.llama.cuts import Cutter, Name, Rules, spans_word_end
from service.llama.host.library import load_library
from service.llama.loader import load
from service.llama.vocabulary import LlamaVocabulary
from slotline.cli.default_model import default_model_path
from tests.support.minilm_gguf import TinyEncoder, write_tiny_encoder
from tests.support.properties import untimed
from tests.support.tiny_gguf import TinyModel, write_tiny_gguf

if TYPE_CHECKING:
    from pathlib import Path

#: What texts are made of: names that overlap and are cut off, blanks beside them, words, and letters of all kinds.
UNITS = [
    "<|im_start|>", "<|im_end|>", "<|im_", "|>", "<", "<|endoftext|>", "<mask>", "<s>", "</s>", "<unk>", "[MASK]",
    "[SEP]", "<|end|>", "<|assistant|>", "<a>", "<a><b>", "<b><a>", "a><", "><", "ab", "ba", "aba", "b", "\n\n",
    "\n", "\n\n\n", "  ", "    ", " ", "\t", "\u2581", "\u2581\u2581", "a word", " another word", "two. Words, and",
    "caf\u00e9 na\u00efve", "\u6f22\u5b57\u3002", "\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440",
    "\U0001f600", "123", " 4,5", "it's",
    "x" * 40, "=== ", "\x00", "\u00a0", "\u0301",
]  # fmt: skip
TEXTS = st.lists(st.tuples(st.sampled_from(UNITS), st.integers(1, 6)), max_size=40).map(
    lambda units: "".join(unit * count for unit, count in units)
)

#: Names inside of names, overlapping ones and blanks; none overlaps another one of its length.
NAMES = ("<a>", "<a><b>", "b><a", "ab", "abab", "bb", "\n\n", "\n\n\n", "  ", "    ", "<mask>", "<|end|>")
#: Where special tokens eat blanks, a long run of blank names is cut anywhere.
NOT_BLANK = tuple(name for name in NAMES if name.strip())

Open = Callable[[str], LlamaVocabulary]


def write(kind: str, directory: Path) -> Path:
    """A model of one kind of vocabulary."""
    path = directory / f"{kind}.gguf"
    match kind:
        case "default":
            return default_model_path()
        case "bpe":
            return write_tiny_gguf(path)
        case "bpe-names":
            return write_tiny_gguf(path, TinyModel(names=NAMES))
        case "bpe-own-names":
            return write_tiny_gguf(path, TinyModel(own_names=NAMES))
        case "bpe-lstrip":
            return write_tiny_gguf(path, TinyModel(pre_tokenizer="jina-v2-code", names=NOT_BLANK))
        case "spm-blank" | "spm-names-blank":
            names = NAMES if "names" in kind else ()
            return write_tiny_gguf(path, TinyModel(kind="spm", own_names=names))
        case "spm" | "spm-names":
            names = NAMES if "names" in kind else ()
            metadata = {"tokenizer.ggml.add_space_prefix": False}
            return write_tiny_gguf(path, TinyModel(kind="spm", own_names=names, metadata=metadata))
        case "spm-rstrip":
            # By this name the library lets the blanks behind special tokens belong to them.
            needed = ("<|endoftext|>", *NOT_BLANK)
            return write_tiny_gguf(path, TinyModel(kind="spm", names=needed, metadata={"general.name": "phi-3 tiny"}))
        case "wordpiece":
            return write_tiny_encoder(path, TinyEncoder())
    raise ValueError(kind)


KINDS = [
    "default", "bpe", "bpe-names", "bpe-own-names", "bpe-lstrip", "spm-blank", "spm-names-blank", "spm", "spm-names",
    "spm-rstrip", "wordpiece",
]  # fmt: skip


@pytest.fixture(scope="module")
def vocabulary_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Vocabularies by kind, each loaded once."""
    yield from vocabularies(tmp_path_factory)


@pytest.fixture(scope="module")
def exact_vocabulary_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """The same; they cut where it changes nothing and nowhere else, not even for want of a good place."""
    for open_one in vocabularies(tmp_path_factory):

        def open_exact(kind: str, open_one: Open = open_one) -> LlamaVocabulary:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(
                    "service.llama.vocabulary.Rules", lambda **rules: replace(Rules(**rules), cuts_anywhere=False)
                )
                return open_one(kind)

        yield open_exact


def vocabularies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Yields what loads one, and closes all."""
    opened: dict[str, LlamaVocabulary] = {}
    directory = tmp_path_factory.mktemp("vocabularies")
    with ExitStack() as stack:

        def open_one(kind: str) -> LlamaVocabulary:
            if kind not in opened:
                path = write(kind, directory)
                config = ModelConfig(path=str(path), n_ctx=64, n_threads=1, embedding=kind == "wordpiece")
                opened[kind] = stack.enter_context(load(config)).vocabulary
            return opened[kind]

        yield open_one


def of_library(vocabulary: LlamaVocabulary, text: str, *, parse_special: bool) -> list[int]:
    """What the library makes of a text in one call."""
    data = text.encode()
    tokens = np.empty(len(data) + 64, np.int32)
    buffer = tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
    with vocabulary.in_use() as pointer:
        count: int = load_library().api.llama_tokenize(
            pointer, data, len(data), buffer, len(tokens), False, parse_special
        )
    assert count >= 0
    ids: list[int] = tokens[:count].tolist()
    return ids


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks so small that short texts have many."""
    monkeypatch.setattr(cuts, "MAX_CHARS", 16)
    monkeypatch.setattr(cuts, "MAX_NAMES", 3)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("parse_special", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@untimed
@given(text=TEXTS)
def test_the_tokens_are_those_of_the_library_alone(
    exact_vocabulary_of: Open, kind: str, parse_special: bool, text: str
) -> None:
    vocabulary = exact_vocabulary_of(kind)
    assert vocabulary.tokenize(text, parse_special=parse_special) == of_library(
        vocabulary, text, parse_special=parse_special
    )


@pytest.mark.parametrize("kind", ["default", "spm-names-blank", "wordpiece"])
def test_the_tokens_of_long_texts_are_those_of_the_library_alone(vocabulary_of: Open, kind: str) -> None:
    vocabulary = vocabulary_of(kind)
    turns = "<|im_start|>user\nWhat is a <mask>, or [MASK]?<|im_end|>\n" * 1500
    prose = "Some words, a few more of them.\n" * 3000
    for text in (turns, prose, prose + turns, (prose[:500] + turns[:40]) * 100):
        assert vocabulary.tokenize(text, parse_special=True) == of_library(vocabulary, text, parse_special=True)


@pytest.mark.parametrize(
    "text",
    ["<|im_start|>user\na<|im_end|>\n" * 20_000, "<|im_end|>" * 50_000, "plain words " * 50_000, "x" * 600_000],
    ids=["turns", "names", "words", "letters"],
)
def test_the_library_is_given_little_at_a_time(vocabulary_of: Open, text: str) -> None:
    vocabulary = vocabulary_of("default")
    chunks = list(vocabulary.chunks(text, parse_special=True))
    assert "".join(chunks) == text
    assert max(map(len, chunks)) <= cuts.MAX_CHARS
    assert max(chunk.count("<|") for chunk in chunks) <= cuts.MAX_NAMES
    # Work grows with the text alone.
    assert len(chunks) <= 2 + 2 * (len(text) // cuts.MAX_CHARS + text.count("<|") // cuts.MAX_NAMES)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("kind", KINDS)
def test_there_are_chunks_where_a_text_can_be_cut(vocabulary_of: Open, kind: str) -> None:
    chunks = list(vocabulary_of(kind).chunks("some plain words " * 20, parse_special=True))
    assert len(chunks) > 10


def test_words_are_not_cut_from_each_other_where_tokens_span_them() -> None:
    assert spans_word_end([b" the", b"of the"])
    assert spans_word_end([b"a\n"])
    assert spans_word_end(["\u6f22".encode()[2:] + b" "])
    assert not spans_word_end([b" the", b"\n\n", b"; i", b"1 ", "\u3002\n".encode()])


@untimed
@given(st.lists(st.text("ab<|>", min_size=1, max_size=5), min_size=1, max_size=12), st.text("ab<|>", max_size=60))
def test_the_longest_name_at_a_place_is_found(names: list[str], text: str) -> None:
    cutter = Cutter([Name(name) for name in names], Rules(cuts_words=False, cuts_anywhere=False, puts_blank=False))
    found, _ = cutter.occurrences(text, 0, len(text), len(text))
    longest = {
        start: max((name for name in names if text.startswith(name, start)), key=len, default="")
        for start in range(len(text))
    }
    assert found == [(start, start + len(name)) for start, name in longest.items() if name]
