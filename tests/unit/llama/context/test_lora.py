"""What the model says with adapters is what a forward pass in numpy says with changed matrices."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import gguf
import gguf.quants
import numpy as np
import numpy.typing as npt
import pytest

from service.config import LoraAdapter
from service.engine.language_model import Segment
from service.llama.load_errors import ModelLoadError
from tests.support.numpy_llama import NumpyLlama
from tests.support.tiny_gguf import TinyAdapter, TinyModel, random_factors, write_tiny_adapter, write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from service.llama.host.library import Library
    from service.llama.llama_model import LlamaModel
    from tests.unit.llama.conftest import LoadTiny

TOKENS = list(range(60, 90))
ONE_LAYER, THREE_LAYERS = TinyModel(), TinyModel(n_layers=3)
#: Of logits of about 4; what remains is the rounding of float32.
TOLERANCE = 1e-4
#: The same if keys and values are kept as f16 and flash attention is used.
DEFAULT_TOLERANCE = 0.05

Row = npt.NDArray[np.float32]


def row_of(model: LlamaModel, tokens: Sequence[int] = TOKENS) -> Row:
    """The logits behind a sequence."""
    model.compute.decode([Segment(0, 0, tokens, 1)])
    return model.compute.logits(0).copy()


def expected(model: TinyModel, *adapters: tuple[TinyAdapter, float]) -> npt.NDArray[np.float64]:
    """The same in numpy."""
    row: npt.NDArray[np.float64] = NumpyLlama(model, adapters).logits(TOKENS)[-1]
    return row


def distance(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> float:
    """The largest difference."""
    return float(np.abs(one - other).max())


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    """The model of three layers."""
    return write_tiny_gguf(tmp_path / "model.gguf", THREE_LAYERS)


def written(folder: Path, *names: str, alpha: float | None = None, rank: int = 2, seed: int = 1) -> TinyAdapter:
    """An adapter for some matrices of the model, in the file "{seed}.gguf"."""
    factors = {name: random_factors(THREE_LAYERS, name, rank, seed) for name in names}
    adapter = TinyAdapter(factors, alpha)
    write_tiny_adapter(folder / f"{seed}.gguf", adapter)
    return adapter


def test_small_models_compute_what_numpy_computes(tmp_path: Path, load_exact: LoadTiny) -> None:
    for model in (ONE_LAYER, THREE_LAYERS, TinyModel(n_heads_kv=4), TinyModel(n_embd=128, n_heads=2, n_ff=96, seed=7)):
        path = write_tiny_gguf(tmp_path / "model.gguf", model)
        assert distance(row_of(load_exact(path=str(path))), expected(model)) < TOLERANCE


def test_with_default_options_the_model_is_close_to_numpy(model_path: Path, load_tiny: LoadTiny) -> None:
    assert distance(row_of(load_tiny(path=str(model_path))), expected(THREE_LAYERS)) < DEFAULT_TOLERANCE


@pytest.mark.parametrize("scale", [1.0, 0.25, -0.75])
@pytest.mark.parametrize(
    ("names", "alpha", "rank"),
    [
        (("blk.0.attn_q.weight",), None, 2),
        (("blk.1.attn_v.weight",), 8.0, 2),
        (("output.weight",), 1.5, 2),
        (("output.weight",), 0.0, 2),
        (("token_embd.weight",), 3.0, 3),
        (("blk.2.ffn_down.weight", "blk.0.ffn_gate.weight", "output.weight", "blk.1.attn_output.weight"), 16.0, 8),
    ],
    ids=["query, no alpha", "value", "output", "output, alpha 0", "embedding", "several"],
)
def test_an_adapter_changes_matrices_by_the_product_of_its_factors(
    tmp_path: Path,
    model_path: Path,
    load_exact: LoadTiny,
    names: tuple[str, ...],
    alpha: float | None,
    rank: int,
    scale: float,
) -> None:
    adapter = written(tmp_path, *names, alpha=alpha, rank=rank)
    model = load_exact(path=str(model_path), lora=(LoraAdapter(str(tmp_path / "1.gguf"), scale),))
    row = row_of(model)
    assert distance(row, expected(THREE_LAYERS, (adapter, scale))) < TOLERANCE
    assert distance(row, expected(THREE_LAYERS)) > 0.5


def test_an_adapter_of_the_output_adds_its_product_by_hand(
    tmp_path: Path, model_path: Path, load_exact: LoadTiny
) -> None:
    """The scale of 0.5 times the alpha of 6 over the rank of 2 is 1.5."""
    n_vocab, n_embd = len(THREE_LAYERS.tokens), THREE_LAYERS.n_embd
    a, b = np.zeros((2, n_embd), np.float32), np.zeros((n_vocab, 2), np.float32)
    a[0], b[70, 0] = 1.0, 2.0
    write_tiny_adapter(tmp_path / "1.gguf", TinyAdapter({"output.weight": (a, b)}, alpha=6.0))
    plain = row_of(load_exact(path=str(model_path)))
    adapted = row_of(load_exact(path=str(model_path), lora=(LoraAdapter(str(tmp_path / "1.gguf"), 0.5),)))
    # All rows of the output but the one of token 70 stay as they were; that one gains 1.5 * 2 in every component.
    assert distance(np.delete(adapted, 70), np.delete(plain, 70)) < TOLERANCE
    state = np.linalg.lstsq(NumpyLlama(THREE_LAYERS).weight("output.weight"), plain.astype(np.float64), rcond=None)[0]
    assert adapted[70] - plain[70] == pytest.approx(1.5 * 2 * state.sum(), abs=1e-3)
    assert abs(adapted[70] - plain[70]) > 0.5


def test_several_adapters_add_up(tmp_path: Path, model_path: Path, load_exact: LoadTiny) -> None:
    first = written(tmp_path, "blk.0.attn_q.weight", "output.weight", seed=1)
    second = written(tmp_path, "blk.0.attn_q.weight", "blk.2.ffn_up.weight", alpha=1.0, seed=2)
    lora = (LoraAdapter(str(tmp_path / "1.gguf")), LoraAdapter(str(tmp_path / "2.gguf"), -0.5))
    row = row_of(load_exact(path=str(model_path), lora=lora))
    assert distance(row, expected(THREE_LAYERS, (first, 1.0), (second, -0.5))) < TOLERANCE


@pytest.mark.parametrize("scales", [(1.0, 0.5), (0.5, 1.0, -2.0)])
def test_the_same_adapter_given_again_counts_again(
    tmp_path: Path, model_path: Path, load_exact: LoadTiny, scales: tuple[float, ...]
) -> None:
    adapter = written(tmp_path, "blk.1.attn_k.weight")
    (tmp_path / "link.gguf").symlink_to("1.gguf")
    paths = ("1.gguf", "link.gguf", "../" + tmp_path.name + "/1.gguf")
    lora = tuple(LoraAdapter(str(tmp_path / path), scale) for path, scale in zip(paths, scales, strict=False))
    row = row_of(load_exact(path=str(model_path), lora=lora))
    assert distance(row, expected(THREE_LAYERS, (adapter, sum(scales)))) < TOLERANCE
    assert distance(row, expected(THREE_LAYERS)) > 0.5


@pytest.mark.parametrize("scales", [(0.0,), (-0.0,), (1.5, -1.5), (1e-60,)])
def test_a_scale_of_0_changes_nothing(
    tmp_path: Path, model_path: Path, load_tiny: LoadTiny, scales: tuple[float, ...], caplog: pytest.LogCaptureFixture
) -> None:
    written(tmp_path, "output.weight")
    plain = row_of(load_tiny(path=str(model_path)))
    lora = tuple(LoraAdapter(str(tmp_path / "1.gguf"), scale) for scale in scales)
    with caplog.at_level(logging.INFO, "service.llama"):
        assert (row_of(load_tiny(path=str(model_path), lora=lora)) == plain).all()
    assert f"LoRA adapter {tmp_path / '1.gguf'} changes 1 matrices, scale {sum(scales):g}" in caplog.messages


def test_adapters_apply_to_every_step_and_sequence(tmp_path: Path, model_path: Path, load_exact: LoadTiny) -> None:
    adapter = written(tmp_path, "blk.0.attn_k.weight", "output.weight")
    model = load_exact(path=str(model_path), lora=(LoraAdapter(str(tmp_path / "1.gguf")),))
    model.compute.decode([Segment(0, 0, TOKENS[:-1], 0), Segment(1, 0, TOKENS[:9], 1)])
    ahead = model.compute.logits(1).copy()
    model.compute.decode([Segment(0, len(TOKENS) - 1, TOKENS[-1:], 1)])
    rows = NumpyLlama(THREE_LAYERS, [(adapter, 1.0)]).logits(TOKENS)
    assert distance(ahead, rows[8]) < TOLERANCE
    assert distance(model.compute.logits(0), rows[-1]) < TOLERANCE


@pytest.mark.parametrize("name", ["blk.0.attn_q.weight", "token_embd.weight"])
@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0"])
def test_adapters_may_be_stored_in_fewer_bits(
    tmp_path: Path, model_path: Path, load_exact: LoadTiny, kind: str, name: str
) -> None:
    stored_as = gguf.GGMLQuantizationType[kind]
    a, b = random_factors(THREE_LAYERS, name, rank=32)
    path = write_tiny_adapter(tmp_path / "1.gguf", TinyAdapter({name: (a, b)}, alpha=8.0, stored_as=stored_as))
    kept = tuple(gguf.quants.dequantize(gguf.quants.quantize(factor, stored_as), stored_as) for factor in (a, b))
    adapter = TinyAdapter({name: (kept[0], kept[1])}, alpha=8.0)
    row = row_of(load_exact(path=str(model_path), lora=(LoraAdapter(str(path)),)))
    # The library rounds what it multiplies such a matrix by to the same number of bits.
    assert distance(row, expected(THREE_LAYERS, (adapter, 1.0))) < 0.2
    assert distance(row, expected(THREE_LAYERS)) > 2.0


def test_what_is_applied_is_said(
    tmp_path: Path, model_path: Path, load_tiny: LoadTiny, caplog: pytest.LogCaptureFixture
) -> None:
    norm = np.ones(THREE_LAYERS.n_embd, np.float32)
    names = ("blk.0.attn_q.weight", "blk.1.attn_q.weight")
    factors = {name: random_factors(THREE_LAYERS, name) for name in names}
    path = tmp_path / "adapter.gguf"
    write_tiny_adapter(path, TinyAdapter(factors, tensors={"blk.0.attn_norm.weight": norm}))
    with caplog.at_level(logging.INFO, "service.llama"):
        load_tiny(path=str(model_path), lora=(LoraAdapter(str(path), 0.5),))
    assert caplog.messages[:-1] == [
        f"LoRA adapter {path} has 1 norms that are not applied: llama.cpp can only change matrices",
        f"LoRA adapter {path} changes 2 matrices, scale 0.5",
    ]


def test_what_only_the_library_refuses_is_quoted(tmp_path: Path, model_path: Path, load_tiny: LoadTiny) -> None:
    """The reader takes two entries of the same name, the library does not."""
    path = tmp_path / "adapter.gguf"
    write_tiny_adapter(
        path,
        TinyAdapter(
            {"output.weight": random_factors(THREE_LAYERS, "output.weight")}, metadata={"some.one": 1, "some.two": 2}
        ),
    )
    content = path.read_bytes()
    path.write_bytes(content.replace(b"some.two", b"some.one"))
    with pytest.raises(ModelLoadError) as caught:
        load_tiny(path=str(model_path), lora=(LoraAdapter(str(path)),))
    assert caught.value.message.startswith(f"LoRA adapter {path} of `lora` cannot be loaded: ")
    assert "duplicate key 'some.one'" in caught.value.message


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_an_adapter_that_gives_no_numbers_is_refused(
    tmp_path: Path, model_path: Path, load_tiny: LoadTiny, value: float
) -> None:
    a, b = random_factors(THREE_LAYERS, "output.weight")
    write_tiny_adapter(tmp_path / "1.gguf", TinyAdapter({"output.weight": (np.full_like(a, value), b)}))
    with pytest.raises(ModelLoadError, match="gave no numbers: the model or a LoRA adapter is damaged"):
        load_tiny(path=str(model_path), lora=(LoraAdapter(str(tmp_path / "1.gguf"), 1e9),))


@pytest.mark.parametrize("is_applied", [True, False])
def test_scales_can_change(tmp_path: Path, model_path: Path, load_exact: LoadTiny, is_applied: bool) -> None:
    first = written(tmp_path, "blk.0.attn_q.weight", "output.weight", seed=1)
    second = written(tmp_path, "blk.1.ffn_up.weight", seed=2)
    lora = (LoraAdapter(str(tmp_path / "1.gguf")), LoraAdapter(str(tmp_path / "2.gguf"), 0.5))
    model = load_exact(path=str(model_path), lora=lora, lora_init_without_apply=not is_applied)
    assert model.info.adapter_scales == ((1.0, 0.5) if is_applied else (0.0, 0.0))
    assert [adapter.path for adapter in model.info.adapters] == [one.path for one in lora]
    changes = ((0.0, 0.0), (0.0, -1.5), (0.25, 0.0), (0.25, 2.0), (1.0, 0.5))
    for scales in (model.info.adapter_scales, *changes):
        if scales is not model.info.adapter_scales:
            model.compute.use_adapters(scales)
        model.memory.remove(0, 0, -1)
        row = row_of(model)
        assert distance(row, expected(THREE_LAYERS, (first, scales[0]), (second, scales[1]))) < TOLERANCE


def test_adapters_are_freed_before_the_model(
    tmp_path: Path, model_path: Path, load_tiny: LoadTiny, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "output.weight", seed=1)
    written(tmp_path, "output.weight", seed=2)
    calls: list[str] = []
    for name in ("llama_adapter_lora_free", "llama_model_free"):
        function = getattr(library.api, name)

        def record(handle: object, name: str = name, function: object = function) -> None:
            calls.append(name)
            function(handle)  # type: ignore[operator]

        monkeypatch.setattr(library.api, name, record)
    lora = tuple(LoraAdapter(str(tmp_path / f"{seed}.gguf")) for seed in (1, 2))
    model = load_tiny(path=str(model_path), lora=lora)
    model.close()
    model.close()
    assert calls == ["llama_adapter_lora_free"] * 2 + ["llama_model_free"]
