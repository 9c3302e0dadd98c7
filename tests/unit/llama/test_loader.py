"""Loading: what comes out, how it reports, and how it fails."""

from __future__ import annotations

import gc
import logging
from typing import TYPE_CHECKING, Any

import pytest

from service.config import KvOverride, ModelConfig, NumaStrategy, RopeScaling
from service.engine.language_model import LanguageModel, Segment
from service.errors import InvalidArgument
from service.llama import loader
from service.llama.load_errors import ModelLoadAborted, ModelLoadError
from service.llama.loader import load
from tests.support.tiny_gguf import TinyModel, write_tiny_gguf

if TYPE_CHECKING:
    from pathlib import Path

    from service.llama.host.library import Library
    from service.llama.llama_model import LlamaModel
    from tests.unit.llama.conftest import LoadTiny


def config(path: Path, **options: Any) -> ModelConfig:
    """A small context on one thread."""
    return ModelConfig(str(path), **({"n_ctx": 64, "n_threads": 1} | options))


def test_a_loaded_model_is_what_the_engine_asks_for(tiny: LlamaModel) -> None:
    asked: LanguageModel = tiny
    info = asked.info
    assert (info.n_vocab, info.n_cells, info.n_batch, info.n_seq_max) == (264, 64, 256, 3)
    assert (info.n_ctx_train, info.can_shift, info.nl_token) == (512, True, 10)


def test_a_loaded_model_knows_its_facts(tiny: LlamaModel) -> None:
    facts = tiny.facts
    assert (facts.name, facts.family) == ("tiny", "llama")
    assert "llama" in facts.description
    assert (facts.n_embd, facts.n_ctx_train, tiny.info.n_cells) == (64, 512, 64)
    assert facts.size_bytes == 4 * facts.n_params > 0
    assert facts.chat_template == "{{ messages[0].content }}"
    assert tiny.vocabulary.fim_tokens is not None


def test_a_model_without_a_chat_template_has_none(tmp_path: Path) -> None:
    with load(config(write_tiny_gguf(tmp_path / "model.gguf"))) as model:
        assert model.facts.chat_template is None


def test_without_a_context_size_the_training_context_is_taken(load_tiny: LoadTiny) -> None:
    model = load_tiny(n_ctx=0)
    assert model.info.n_cells == 512


@pytest.mark.parametrize(
    "options",
    [
        {"mmap": False},
        {"mlock": True},
        {"rope_scaling": RopeScaling.LINEAR, "rope_freq_scale": 0.5, "rope_freq_base": 5000.0},
        {
            "rope_scaling": RopeScaling.YARN,
            "rope_freq_scale": 0.25,
            "yarn_ext_factor": 1.0,
            "yarn_attn_factor": 0.9,
            "yarn_beta_slow": 2.0,
            "yarn_beta_fast": 20.0,
        },
        {"n_gpu_layers": 99, "main_gpu": 0, "tensor_split": (1.0, 2.0)},
        {"n_threads": 2, "n_threads_batch": 1},
        {"n_batch": 1},
    ],
    ids=lambda options: next(iter(options)),
)
def test_models_load_with_options(load_tiny: LoadTiny, options: dict[str, Any]) -> None:
    model = load_tiny(**options)
    model.compute.decode([Segment(0, 0, [65], 1), Segment(1, 0, [66], 1)])
    assert model.compute.logits(1).shape == (264,)


def test_threads_are_spread_over_numa_nodes_before_the_model_is_loaded(
    library: Library, load_tiny: LoadTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only recorded: it would last for the rest of the process."""
    calls: list[object] = []
    load_file = library.api.llama_model_load_from_file

    def record_load(*arguments: object) -> object:
        calls.append("load")
        return load_file(*arguments)

    monkeypatch.setattr(library.api, "llama_numa_init", calls.append)
    monkeypatch.setattr(library.api, "llama_model_load_from_file", record_load)
    load_tiny(numa=NumaStrategy.ISOLATE)
    assert calls == [2, "load"]


def test_rope_options_change_what_the_model_says(load_tiny: LoadTiny) -> None:
    rows = []
    for options in ({}, {"rope_freq_base": 100.0}, {"rope_scaling": RopeScaling.LINEAR, "rope_freq_scale": 0.1}):
        model = load_tiny(**options)
        model.compute.decode([Segment(0, 0, list(range(60, 90)), 1)])
        rows.append(model.compute.logits(0).copy())
    assert abs(rows[0] - rows[1]).max() > 1e-3
    assert abs(rows[0] - rows[2]).max() > 1e-3


def test_metadata_can_be_overridden(load_tiny: LoadTiny) -> None:
    overrides = (
        KvOverride("llama.context_length", 300),
        KvOverride("tokenizer.ggml.add_bos_token", False),
        KvOverride("llama.rope.freq_base", 500.0),
    )
    model = load_tiny(n_ctx=0, kv_overrides=overrides)
    assert (model.info.n_cells, model.info.n_ctx_train) == (300, 300)
    assert not model.vocabulary.adds_bos


def test_progress_grows_from_0_to_1(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(n_layers=4))
    reports: list[float] = []
    load(config(path), on_progress=reports.append).close()
    assert reports[0] == 0.0
    assert reports[-1] == 1.0
    assert len(reports) > 4
    assert reports == sorted(set(reports))


@pytest.mark.parametrize("limit", [0.0, 0.3, 0.85, 0.9, 1.0])
def test_loading_can_be_aborted_at_any_time(tmp_path: Path, limit: float) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(n_layers=4))
    reports: list[float] = []

    def stop_at_limit(progress: float) -> bool:
        reports.append(progress)
        return progress < limit

    with pytest.raises(ModelLoadAborted):
        load(config(path), on_progress=stop_at_limit)
    assert [progress for progress in reports if progress >= limit] == reports[-1:]


@pytest.mark.parametrize("limit", [0.0, 0.5, 1.0])
def test_an_error_of_the_callback_comes_out(tmp_path: Path, limit: float) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")

    def fail_at_limit(progress: float) -> None:
        if progress >= limit:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(config(path), on_progress=fail_at_limit)


def test_what_is_known_beforehand_is_refused_without_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never() -> None:
        raise AssertionError("the library was loaded")

    monkeypatch.setattr(loader, "load_library", never)
    with pytest.raises(ModelLoadError, match="does not exist"):
        load(config(tmp_path / "none.gguf"))
    with pytest.raises(InvalidArgument, match="n_parallel: is 0"):
        load(config(tmp_path / "none.gguf", n_parallel=0))


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (
            TinyModel(architecture="frobnicator"),
            "unknown model architecture: 'frobnicator' (a newer version of llama.cpp may know it)",
        ),
        (TinyModel(pre_tokenizer="frob"), "unknown pre-tokenizer type: 'frob'"),
        (TinyModel(metadata={"tokenizer.ggml.model": "frob"}), "unknown tokenizer: 'frob'"),
        (TinyModel(metadata={"llama.context_length": None}), "key not found in model: llama.context_length"),
        (TinyModel(metadata={"llama.block_count": 2}), "tensor 'blk.1.attn_norm.weight' not found"),
        (TinyModel(metadata={"llama.feed_forward_length": 96}), "tensor 'blk.0.ffn_gate.weight' has wrong shape"),
    ],
    ids=["architecture", "pre-tokenizer", "tokenizer", "missing key", "missing tensor", "wrong shape"],
)
def test_what_only_the_library_knows_is_quoted(tmp_path: Path, model: TinyModel, told: str) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", model)
    with pytest.raises(ModelLoadError) as caught:
        load(config(path))
    assert caught.value.message.startswith(f"model file {path} cannot be loaded: ")
    assert told in caught.value.message
    assert caught.value.retry_after_s is None


def test_a_failed_load_leaves_nothing_behind(tmp_path: Path, load_tiny: LoadTiny) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(metadata={"llama.block_count": 2}))
    for _ in range(3):
        with pytest.raises(ModelLoadError):
            load(config(path))
    gc.collect()
    model = load_tiny()
    model.compute.decode([Segment(0, 0, [65], 1)])
    assert model.memory.position_max(0) == 0


def test_a_path_with_any_characters_can_be_loaded(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "m\u00f6del %s \u6f22.gguf")
    with load(config(path)) as model:
        assert model.facts.name == "tiny"


def test_several_models_live_side_by_side(load_tiny: LoadTiny) -> None:
    first, second = load_tiny(), load_tiny()
    first.compute.decode([Segment(0, 0, [65, 66], 1)])
    second.compute.decode([Segment(0, 0, [65, 66], 1)])
    assert (first.compute.logits(0) == second.compute.logits(0)).all()
    first.close()
    second.compute.decode([Segment(0, 2, [67], 1)])
    assert second.memory.position_max(0) == 2


def test_one_line_says_what_was_loaded(tiny_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "service.llama"):
        load(config(tiny_path, n_parallel=2)).close()
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert str(tiny_path) in line
    assert "64 cells for 3 sequences" in line
