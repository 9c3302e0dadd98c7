"""A tiny model on disk, and a loaded one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from service.config import ModelConfig
from service.llama.host.library import Library, load_library
from service.llama.llama_model import LlamaModel
from service.llama.loader import load
from tests.support.tiny_gguf import TinyModel, write_tiny_gguf

if TYPE_CHECKING:
    from pathlib import Path

LoadTiny = Callable[..., LlamaModel]


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with tokens for infill and a chat template; do not write to it."""
    model = TinyModel(has_fim=True, chat_template="{{ messages[0].content }}")
    return write_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf", model)


@pytest.fixture(scope="session")
def library() -> Library:
    """The library."""
    return load_library()


@pytest.fixture
def load_tiny(tiny_path: Path) -> Iterator[LoadTiny]:
    """Loads the tiny model with some options; closed in the end."""
    with ExitStack() as stack:

        def load_with(**options: Any) -> LlamaModel:
            defaults: dict[str, Any] = {"path": str(tiny_path), "n_ctx": 64, "n_parallel": 2, "n_threads": 1}
            model = stack.enter_context(load(ModelConfig(**(defaults | options))))
            assert isinstance(model, LlamaModel)
            return model

        yield load_with


@pytest.fixture
def load_exact(load_tiny: LoadTiny) -> LoadTiny:
    """As ``load_tiny``, but the library computes in float32 throughout, which its flash attention does not."""

    def load_with(**options: Any) -> LlamaModel:
        exact: dict[str, Any] = {"cache_type_k": "f32", "cache_type_v": "f32", "flash_attention": False}
        return load_tiny(**(exact | options))

    return load_with


@pytest.fixture
def tiny(load_tiny: LoadTiny) -> LlamaModel:
    """The tiny model with 64 cells and 2 sequences."""
    return load_tiny()
