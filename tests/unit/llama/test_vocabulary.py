"""Text to tokens, tokens to bytes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.llama.vocabulary import FimTokens, LlamaVocabulary
from tests.support.tiny_gguf import (
    BOS,
    EOS,
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    IM_END,
    IM_START,
    SPACE_T,
    TinyModel,
    write_tiny_gguf,
)

if TYPE_CHECKING:
    from pathlib import Path

    from service.llama.llama_model import LlamaModel
    from service.prompts.vocabulary import Vocabulary
    from tests.unit.llama.conftest import LoadTiny


@pytest.fixture
def vocabulary(tiny: LlamaModel) -> LlamaVocabulary:
    """That of the tiny model."""
    return tiny.vocabulary


def test_it_is_what_prompts_ask_for(vocabulary: LlamaVocabulary) -> None:
    asked: Vocabulary = vocabulary
    assert asked.n_vocab == 264


def test_special_tokens(vocabulary: LlamaVocabulary) -> None:
    assert (vocabulary.bos_token, vocabulary.eos_token, vocabulary.nl_token) == (BOS, EOS, ord("\n"))
    assert vocabulary.eog_tokens == {EOS, IM_END}
    assert vocabulary.fim_tokens == FimTokens(prefix=FIM_PREFIX, suffix=FIM_SUFFIX, middle=FIM_MIDDLE)


@pytest.mark.parametrize("adds_bos", [True, False])
def test_whether_prompts_begin_with_bos_is_up_to_the_model(tmp_path: Path, load_tiny: LoadTiny, adds_bos: bool) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(adds_bos=adds_bos))
    model = load_tiny(path=str(path))
    assert model.vocabulary.adds_bos is adds_bos
    assert not model.vocabulary.adds_eos
    assert model.info.bos_token == (BOS if adds_bos else -1)
    assert model.vocabulary.fim_tokens is None


@pytest.mark.parametrize(("pre_tokenizer", "adds"), [("jina-v1-en", True), ("gpt-2", False)])
def test_whether_sep_stands_between_texts_of_a_pair_is_up_to_the_model(
    tmp_path: Path, load_tiny: LoadTiny, pre_tokenizer: str, adds: bool
) -> None:
    model = TinyModel(pre_tokenizer=pre_tokenizer, metadata={"tokenizer.ggml.seperator_token_id": EOS})
    vocabulary = load_tiny(path=str(write_tiny_gguf(tmp_path / "model.gguf", model))).vocabulary
    assert (vocabulary.adds_sep_to_pairs, vocabulary.adds_sep) == (adds, False)


def test_bos_and_eos_are_never_added(vocabulary: LlamaVocabulary) -> None:
    assert vocabulary.adds_bos
    assert vocabulary.tokenize("ab", parse_special=True) == [97, 98]
    assert vocabulary.tokenize("", parse_special=True) == []


def test_names_of_special_tokens_count_only_if_asked(vocabulary: LlamaVocabulary) -> None:
    text = "<|im_start|>a<|im_end|>"
    assert vocabulary.tokenize(text, parse_special=True) == [IM_START, 97, IM_END]
    assert vocabulary.tokenize(text, parse_special=False) == list(text.encode())


def test_merges_are_applied(vocabulary: LlamaVocabulary) -> None:
    assert vocabulary.tokenize("at the", parse_special=False) == [97, 116, SPACE_T, 104, 101]
    assert vocabulary.token_bytes(SPACE_T) == b" t"


def test_pieces_of_control_tokens_are_empty_unless_asked_for(vocabulary: LlamaVocabulary) -> None:
    assert [vocabulary.token_bytes(token) for token in (97, BOS, IM_END)] == [b"a", b"", b""]
    assert [vocabulary.token_bytes(token, special=True) for token in (97, BOS, IM_END)] == [
        b"a",
        b"<|startoftext|>",
        b"<|im_end|>",
    ]
    assert vocabulary.bytes_by_token[:256] == [bytes([byte]) for byte in range(256)]


@pytest.mark.parametrize("token", [-1, 264, 2**31])
def test_a_token_outside_the_vocabulary_is_refused(vocabulary: LlamaVocabulary, token: int) -> None:
    with pytest.raises(ValueError, match=f"token {token} is not one of 0 to 263"):
        vocabulary.token_bytes(token)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_pieces_of_a_text_make_up_the_text(vocabulary: LlamaVocabulary, text: str) -> None:
    tokens = vocabulary.tokenize(text, parse_special=False)
    assert b"".join(map(vocabulary.token_bytes, tokens)) == text.encode()


@pytest.mark.parametrize("text", ["\0", "a\0b", "\0" * 10_000, "\U0001f600" * 5000, "x \n" * 100_000])
def test_any_text_can_be_tokenised(vocabulary: LlamaVocabulary, text: str) -> None:
    tokens = vocabulary.tokenize(text, parse_special=True)
    assert b"".join(map(vocabulary.token_bytes, tokens)) == text.encode()


def assert_survives(vocabulary: LlamaVocabulary, text: str) -> None:
    """Tokenise a text in a thread, whose stack is smaller, and find all of it again."""
    with ThreadPoolExecutor(1) as pool:
        tokens = pool.submit(vocabulary.tokenize, text, parse_special=True).result()
    assert b"".join(map(vocabulary.token_bytes, tokens)) == text.encode()


@pytest.mark.parametrize("pre_tokenizer", ["deepseek-llm", "gpt-4o", "falcon", "tekken"])
@pytest.mark.parametrize("unit", ["a", " ", "!", "\u6f22", "\n", "1"])
def test_a_word_of_any_length_does_not_overflow_the_stack(
    tmp_path: Path, load_tiny: LoadTiny, pre_tokenizer: str, unit: str
) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(pre_tokenizer=pre_tokenizer))
    assert_survives(load_tiny(path=str(path)).vocabulary, unit * 60_000)


@pytest.mark.parametrize(
    ("pre_tokenizer", "unit"),
    [
        ("exaone-moe", "ab cd "),
        ("exaone-moe", "a b\u0301 "),
        ("gpt-4o", "\x1c!"),
        ("viking", "\x1ca"),
        ("default", "\x1f!"),
    ],
    ids=str,
)
def test_neither_does_anything_else_that_is_matched_at_once(
    tmp_path: Path, load_tiny: LoadTiny, pre_tokenizer: str, unit: str
) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(pre_tokenizer=pre_tokenizer))
    assert_survives(load_tiny(path=str(path)).vocabulary, unit * 60_000)


def test_long_runs_are_not_cut_through_special_tokens(vocabulary: LlamaVocabulary) -> None:
    tokens = vocabulary.tokenize("x" * 4090 + "<|im_end|>" * 2000, parse_special=True)
    assert tokens == [ord("x")] * 4090 + [IM_END] * 2000


def test_many_threads_may_tokenise_at_once(vocabulary: LlamaVocabulary) -> None:
    texts = [f"text number {number} " * 200 for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda text: vocabulary.tokenize(text, parse_special=True), texts * 4))
    assert results == [vocabulary.tokenize(text, parse_special=True) for text in texts] * 4


def test_closing_waits_for_those_who_tokenise(tiny: LlamaModel) -> None:
    vocabulary = tiny.vocabulary
    is_inside, may_leave = threading.Event(), threading.Event()

    def use() -> None:
        with vocabulary.in_use():
            is_inside.set()
            assert may_leave.wait(30)

    user, closer = threading.Thread(target=use), threading.Thread(target=vocabulary.close)
    user.start()
    assert is_inside.wait(30)
    closer.start()
    # Not a guess about speed: it cannot end before the user has left, however long we look.
    closer.join(0.1)
    assert closer.is_alive()
    may_leave.set()
    user.join()
    closer.join()
    with pytest.raises(ValueError, match="closed"):
        vocabulary.tokenize("a", parse_special=True)


def test_a_closed_vocabulary_still_knows_the_bytes_of_its_tokens(tiny: LlamaModel) -> None:
    tiny.close()
    assert tiny.vocabulary.token_bytes(97) == b"a"
    with pytest.raises(ValueError, match="closed"):
        tiny.vocabulary.tokenize("a", parse_special=True)
