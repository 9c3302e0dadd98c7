"""The benchmark of draft models, on a tiny model: what it measures, and the model that it writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gguf
import numpy as np

from bench.draft import run, write_full_precision
from bench.settings import Settings
from tests.support.tiny_gguf import TinyModel, tensors_of, write_tiny_gguf

if TYPE_CHECKING:
    from pathlib import Path

MODEL = TinyModel(n_layers=2, n_ctx_train=4096)


def test_the_model_in_full_precision_has_the_same_weights(tmp_path: Path) -> None:
    source = write_tiny_gguf(tmp_path / "tiny.gguf", MODEL)
    reader = gguf.GGUFReader(write_full_precision(source, tmp_path / "full.gguf"))
    written = {tensor.name: tensor.data for tensor in reader.tensors}
    assert written.keys() == tensors_of(MODEL).keys()
    for name, expected in tensors_of(MODEL).items():
        assert np.array_equal(written[name], expected)
    assert reader.fields["tokenizer.ggml.model"].contents() == "gpt2"


def test_every_pair_is_measured_with_and_without(tmp_path: Path) -> None:
    model = write_tiny_gguf(tmp_path / "tiny.gguf", MODEL)
    result = run(Settings(model=model, peers_python=None, repeats=2, tokens=12))
    assert not result.failures
    ratios = [figure for figure in result.figures if figure.against == "without"]
    assert len(ratios) == 8
    assert all(len(figure.samples) == 2 and min(figure.samples) > 0 for figure in ratios)
    assert {figure.row.split(",")[0] for figure in result.figures} == {"full precision", "the model itself"}
