"""What the contract does not show: faults of the library, and models whose memory is of another kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from service.engine.language_model import DecodeFailed, Segment
from tests.support.tiny_gguf import TinyModel, write_tiny_gguf
from tests.support.tiny_mamba import write_tiny_mamba

if TYPE_CHECKING:
    from pathlib import Path

    from service.llama.host.library import Library
    from service.llama.llama_model import LlamaModel
    from tests.unit.llama.conftest import LoadTiny


class FaultyApi:
    """The library, but one function always answers with 0."""

    def __init__(self, library: Library, broken: str) -> None:
        self._api = library.api
        self._broken = broken

    def __getattr__(self, name: str) -> object:
        return (lambda *_: 0) if name == self._broken else getattr(self._api, name)


def row_after(model: LlamaModel, seq_id: int, tokens: list[int]) -> list[float]:
    """The logits behind more tokens of a sequence."""
    model.compute.decode([Segment(seq_id, model.memory.position_max(seq_id) + 1, tokens, 1)])
    row: list[float] = model.compute.logits(0).tolist()
    return row


@pytest.mark.parametrize("broken", ["llama_state_seq_get_data", "llama_state_seq_set_data"])
def test_a_copy_that_fails_loses_its_sequence_only(
    library: Library, tiny: LlamaModel, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    tiny.compute.decode([Segment(0, 0, list(range(65, 85)), 0)])
    assert tiny.memory.fork(0, 1, 20)
    with monkeypatch.context() as patch:
        patch.setattr(tiny.memory, "_api", FaultyApi(library, broken))
        with pytest.raises(DecodeFailed, match="could not copy the positions 0 to 19 of sequence 1"):
            tiny.memory.unshare(1)
    assert ([tiny.memory.position_max(seq_id) for seq_id in range(3)], tiny.memory.cells_free) == ([19, -1, -1], 44)
    np.testing.assert_allclose(row_after(tiny, 0, [65]), row_after(tiny, 2, [*range(65, 85), 65]), atol=1e-2)


def test_moves_that_cannot_be_computed_lose_the_sequence_that_is_copied(
    library: Library, tiny: LlamaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.compute.decode([Segment(0, 0, [65, 66, 67, 68], 0)])
    tiny.memory.remove(0, 0, 2)
    tiny.memory.shift(0, 2, 4, -2)
    assert tiny.memory.fork(0, 1, 2)
    monkeypatch.setattr(tiny.compute, "_decode", lambda *_: -3)
    with pytest.raises(DecodeFailed, match="changed positions failed with code -3"):
        tiny.memory.unshare(1)
    assert ([tiny.memory.position_max(seq_id) for seq_id in range(2)], tiny.memory.cells_free) == ([1, -1], 62)


def test_moves_are_computed_before_a_copy_even_if_all_cells_are_taken(load_tiny: LoadTiny) -> None:
    # The library has 256 cells, so that nothing is left for what makes it compute.
    model = load_tiny(n_ctx=256, n_parallel=3)
    model.compute.decode([Segment(0, 0, [70, 71, 72, 73, 65, 66, 67, 68], 0)])
    model.compute.decode([Segment(1, 0, [80] * 248, 0)])
    assert model.memory.remove(0, 0, 4)
    model.memory.shift(0, 4, 8, -4)
    model.compute.decode([Segment(2, 0, [81] * 4, 0)])
    model.memory.shift(0, 0, 4, 1)
    model.memory.shift(0, 1, 5, -1)
    assert model.memory.fork(0, 3, 4)
    assert model.memory.remove(1, 244, -1)
    assert model.memory.cells_free == 4
    model.memory.unshare(3)
    assert model.memory.cells_free == 0
    assert model.memory.remove(0, 0, -1)
    copied = row_after(model, 3, [69])
    assert model.memory.remove(1, 0, -1)
    np.testing.assert_allclose(copied, row_after(model, 1, [65, 66, 67, 68, 69]), atol=1e-2)


def test_a_long_sequence_is_copied_in_pieces(load_tiny: LoadTiny) -> None:
    model = load_tiny(n_ctx=4000)
    tokens = [int(token) for token in np.random.default_rng(0).integers(32, 127, 1300)]
    for start in range(0, 1300, 500):
        model.compute.decode([Segment(0, start, tokens[start : start + 500], 0)])
    assert model.memory.fork(0, 1, 1300)
    model.memory.unshare(1)
    assert (model.memory.position_max(1), model.memory.cells_free) == (1299, 1400)
    assert model.memory.remove(1, 1200, -1)
    assert model.memory.remove(0, 1200, -1)
    np.testing.assert_allclose(row_after(model, 1, [65]), row_after(model, 0, [65]), atol=1e-2)


@pytest.mark.parametrize("cache_type", ["f32", "q8_0"])
def test_copies_of_other_cache_types(load_tiny: LoadTiny, tmp_path: Path, cache_type: str) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(n_embd=256))
    model = load_tiny(path=str(path), cache_type_k=cache_type, cache_type_v=cache_type)
    model.compute.decode([Segment(0, 0, [65, 66, 67, 68], 0)])
    assert model.memory.fork(0, 1, 4)
    model.memory.unshare(1)
    np.testing.assert_allclose(row_after(model, 1, [65]), row_after(model, 0, [65]), atol=1e-2)


def test_a_closed_model_refuses_to_share(tiny: LlamaModel) -> None:
    tiny.close()
    for call in (
        lambda: tiny.memory.fork(0, 1, 0),
        lambda: tiny.memory.divide(0, 0, 1, 2),
        lambda: tiny.memory.shift(0, 0, 1, 2),
    ):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_a_state_that_all_tokens_went_into_cannot_be_cut_or_shared(tmp_path: Path, load_tiny: LoadTiny) -> None:
    model = load_tiny(path=str(write_tiny_mamba(tmp_path / "mamba.gguf")), embedding=True)
    before = row_after(model, 1, [65, 66, 67, 68])
    model.compute.decode([Segment(0, 0, [65, 66, 67], 0)])
    for start, end in ((0, 1), (1, 2), (1, -1), (2, -1)):
        assert not model.memory.remove(0, start, end)
    for end in (2, 3):
        assert not model.memory.fork(0, 2, end)
    model.memory.unshare(0)
    assert ([model.memory.position_max(seq_id) for seq_id in range(3)], model.memory.cells_free) == ([2, 3, -1], 57)
    assert model.compute.hidden([Segment(2, 0, [70, 71, 72], 0)]).shape == (3, model.info.n_embd)
    np.testing.assert_allclose(row_after(model, 0, [68]), before, atol=1e-4)
    for seq_id in range(3):
        assert model.memory.remove(seq_id, 0, -1)
    assert model.memory.cells_free == 64
