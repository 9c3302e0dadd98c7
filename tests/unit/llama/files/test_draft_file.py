"""A draft model is looked at before the library sees it: its file, its vocabulary, the memory of both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from service.config import ModelConfig
from service.llama.files.preflight import ModelFileFacts, check_model_file
from service.llama.host.memory import PROCESS_BYTES
from service.llama.load_errors import ModelLoadError
from tests.support.minilm_gguf import write_tiny_encoder
from tests.support.tiny_gguf import TinyModel, write_tiny_gguf

if TYPE_CHECKING:
    from pathlib import Path

MODEL = TinyModel(names=("<|a|>",))
PLENTY = 1 << 40


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    """The model for which others guess."""
    return write_tiny_gguf(tmp_path / "model.gguf", MODEL)


def check(model: Path, draft: Path | str, available: int = PLENTY, **options: Any) -> ModelFileFacts:
    """Check a draft model with a model."""
    return check_model_file(ModelConfig(str(model), draft_path=str(draft), **options), lambda: available)


def refusal(model: Path, draft: Path | str, available: int = PLENTY) -> str:
    """Why a draft model is refused, in one line."""
    with pytest.raises(ModelLoadError) as caught:
        check(model, draft, available)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_model_of_the_same_vocabulary_is_taken_whatever_its_size(tmp_path: Path, model_path: Path) -> None:
    draft = write_tiny_gguf(tmp_path / "draft.gguf", replace(MODEL, n_layers=2, n_embd=32, seed=3))
    facts = check(model_path, draft)
    assert facts.draft is not None
    assert (facts.draft.path, facts.draft.n_layers, facts.draft.n_ctx) == (draft, 2, facts.n_ctx)
    assert check_model_file(ModelConfig(str(model_path)), lambda: PLENTY).draft is None


@pytest.mark.parametrize("n_more", [1, 128])
def test_one_of_the_two_may_have_a_few_tokens_more(tmp_path: Path, model_path: Path, n_more: int) -> None:
    more = replace(MODEL, names=("<|a|>", *(f"<|{number}|>" for number in range(n_more))))
    padded = write_tiny_gguf(tmp_path / "padded.gguf", more)
    assert check(model_path, padded).draft is not None
    assert check(padded, model_path).draft is not None


def test_many_tokens_more_are_another_vocabulary(tmp_path: Path, model_path: Path) -> None:
    more = replace(MODEL, names=("<|a|>", *(f"<|{number}|>" for number in range(129))))
    draft = write_tiny_gguf(tmp_path / "more.gguf", more)
    assert "it has 391 tokens, not 262" in refusal(model_path, draft)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (replace(MODEL, names=("<|b|>",)), "its token 261 is '<|b|>', not '<|a|>'"),
        (replace(MODEL, kind="spm"), "its tokenizer.ggml.model is 'llama', not 'gpt2'"),
        (
            replace(MODEL, metadata={"tokenizer.ggml.eos_token_id": 65}),
            "its tokenizer.ggml.eos_token_id is 65, not 257",
        ),
        (
            replace(MODEL, metadata={"tokenizer.ggml.bos_token_id": None}),
            "its tokenizer.ggml.bos_token_id is None, not 256",
        ),
    ],
)
def test_another_vocabulary_is_refused(tmp_path: Path, model_path: Path, change: TinyModel, problem: str) -> None:
    draft = write_tiny_gguf(tmp_path / "draft.gguf", change)
    assert refusal(model_path, draft) == (
        f"draft model file {draft} has another vocabulary than the model: {problem}; `draft_path` must name a model of "
        "the same family"
    )


def test_a_file_that_is_no_model_is_refused(tmp_path: Path, model_path: Path) -> None:
    missing, noise = tmp_path / "missing.gguf", tmp_path / "noise.gguf"
    noise.write_bytes(b"noise")
    assert refusal(model_path, missing) == f"draft model file {missing} does not exist; check `draft_path`"
    assert refusal(model_path, noise).startswith(f"draft model file {noise} is not a GGUF file")
    assert refusal(model_path, tmp_path).startswith(f"draft model file {tmp_path} is a directory; `draft_path` must")


def test_nothing_is_guessed_for_or_by_models_that_only_make_embeddings(tmp_path: Path, model_path: Path) -> None:
    encoder = write_tiny_encoder(tmp_path / "encoder.gguf")
    for pair in ((model_path, encoder), (encoder, model_path)):
        assert refusal(*pair) == (f"`draft_path` is of no use: model file {encoder} does not generate text")


def test_memory_is_needed_for_both(tmp_path: Path, model_path: Path) -> None:
    draft = write_tiny_gguf(tmp_path / "draft.gguf", replace(MODEL, n_layers=2))
    alone, other = (check_model_file(ModelConfig(str(path)), lambda: PLENTY) for path in (model_path, draft))
    both = check(model_path, draft).memory
    n_ctx = alone.n_ctx
    assert both.total(n_ctx) == alone.memory.total(n_ctx) + other.memory.total(n_ctx) - PROCESS_BYTES
    # A context of its own does not grow with that of the model.
    own = check(model_path, draft, n_ctx_draft=256).memory
    assert own.cells(n_ctx) == alone.memory.cells(n_ctx)
    assert own.total(n_ctx) == both.total(n_ctx) - other.memory.cells(n_ctx) + other.memory.cells(256)
    message = refusal(model_path, draft, both.total(n_ctx) - 1)
    assert message.startswith(f"model file {model_path} with draft model file {draft} needs about ")
    assert "the largest context that fits is `n_ctx` 256" in message
