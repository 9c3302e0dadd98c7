"""What is particular to llama.cpp, beyond the contract: failures, and what would abort the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from service.config import KvOverride, Pooling
from service.engine.language_model import CacheFull, DecodeFailed, Segment
from service.llama.context.weights import Weights
from service.llama.load_errors import ModelLoadError
from tests.support.tiny_gguf import TinyModel, write_tiny_gguf

if TYPE_CHECKING:
    from pathlib import Path

    from service.llama.host.library import Library
    from service.llama.llama_model import LlamaModel
    from tests.unit.llama.conftest import LoadTiny


# The library has a sequence 3, for copies.
@pytest.mark.parametrize("seq_id", [-1, 3, 256])
def test_a_sequence_out_of_range_is_refused(tiny: LlamaModel, seq_id: int) -> None:
    for call in (
        lambda: tiny.memory.remove(seq_id, 0, -1),
        lambda: tiny.memory.fork(seq_id, 0, 0),
        lambda: tiny.memory.fork(0, seq_id, 0),
        lambda: tiny.memory.unshare(seq_id),
        lambda: tiny.memory.shift(seq_id, 0, -1, 1),
        lambda: tiny.memory.divide(seq_id, 0, -1, 2),
        lambda: tiny.memory.position_max(seq_id),
    ):
        with pytest.raises(ValueError, match=f"sequence {seq_id} is not one of 0 to 2"):
            call()


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (0, -2)])
def test_a_range_that_makes_no_sense_is_refused(tiny: LlamaModel, start: int, end: int) -> None:
    tiny.compute.decode([Segment(0, 0, [1, 2, 3], 0)])
    with pytest.raises(ValueError, match=f"positions {start} to {end}"):
        tiny.memory.remove(0, start, end)
    with pytest.raises(ValueError, match=f"positions {start} to {end}"):
        tiny.memory.shift(0, start, end, 1)
    with pytest.raises(ValueError, match=f"positions {start} to {end}"):
        tiny.memory.divide(0, start, end, 2)
    assert tiny.memory.position_max(0) == 2


def test_a_sequence_twice_in_a_call_is_refused(tiny: LlamaModel) -> None:
    with pytest.raises(DecodeFailed, match="sequence 1 is repeated or not one of 0 to 2"):
        tiny.compute.decode([Segment(1, 0, [1], 1), Segment(1, 0, [1], 1)])


def test_an_empty_call_is_refused(tiny: LlamaModel) -> None:
    with pytest.raises(DecodeFailed, match="0 tokens in one call; allowed: 1 to 256"):
        tiny.compute.decode([])


def test_an_open_shift_moves_all_that_follows(tiny: LlamaModel) -> None:
    tiny.compute.decode([Segment(0, 0, list(range(10)), 0)])
    tiny.memory.remove(0, 2, 5)
    tiny.memory.shift(0, 5, -1, -3)
    assert tiny.memory.position_max(0) == 6
    tiny.memory.shift(0, 0, 0, -3)
    tiny.memory.shift(1, 0, -1, -3)
    assert tiny.memory.position_max(0) == 6


def test_a_shift_below_zero_is_refused(tiny: LlamaModel) -> None:
    tiny.compute.decode([Segment(0, 0, list(range(10)), 0)])
    with pytest.raises(ValueError, match="sequence 0 cannot have the positions -4 to 5"):
        tiny.memory.shift(0, 0, -1, -4)
    assert tiny.memory.position_max(0) == 9


def test_only_the_cells_asked_for_are_used_although_the_library_has_more(load_tiny: LoadTiny) -> None:
    model = load_tiny(n_ctx=20, n_parallel=2)
    model.compute.decode([Segment(0, 0, [1] * 20, 0)])
    with pytest.raises(CacheFull, match="1 tokens need as many cells, 0 are free"):
        model.compute.decode([Segment(1, 0, [1], 1)])


def test_more_sequences_than_the_batch_has_tokens(load_tiny: LoadTiny) -> None:
    model = load_tiny(n_ctx=800, n_parallel=100, n_batch=1)
    assert model.info.n_batch == 102
    model.compute.decode([Segment(seq_id, 0, [seq_id], 1) for seq_id in range(100)])
    assert all(np.isfinite(model.compute.logits(index)).all() for index in range(100))


@pytest.mark.parametrize("cache_type", ["f32", "f16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1"])
@pytest.mark.parametrize("head_length", [32, 64])
def test_every_cache_type_works(tmp_path: Path, load_tiny: LoadTiny, cache_type: str, head_length: int) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(n_embd=4 * head_length))
    model = load_tiny(path=str(path), cache_type_k=cache_type, cache_type_v=cache_type)
    # The library crashes of a shift of quantised keys in heads of 32.
    assert model.info.can_shift == (head_length == 64 or cache_type in ("f32", "f16"))
    model.compute.decode([Segment(0, 0, [65, 66, 67], 0)])
    if model.info.can_shift:
        model.memory.remove(0, 0, 1)
        model.memory.shift(0, 1, 3, -1)
    else:
        with pytest.raises(ValueError, match="cannot shift"):
            model.memory.shift(0, 1, 3, 1)
        model.memory.remove(0, 2, 3)
    model.compute.decode([Segment(0, 2, [68], 1)])
    assert np.isfinite(model.compute.logits(0)).all()


def test_quantised_keys_whose_heads_are_rotated_in_part_cannot_be_shifted(
    tmp_path: Path, load_tiny: LoadTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tiny architecture rotates whole heads or does not load; the metadata of others says how much they rotate.
    monkeypatch.setattr(Weights, "_metadata_integer", lambda _, key: {"rope.dimension_count": 32}.get(key, 0))
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(n_embd=256))
    assert not load_tiny(path=str(path), cache_type_k="q8_0").info.can_shift
    assert load_tiny(path=str(path), cache_type_k="f16").info.can_shift


def test_quantised_keys_cannot_be_shifted_if_the_library_was_told_not_to_turn_them(
    tmp_path: Path, load_tiny: LoadTiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(n_embd=256))
    monkeypatch.setenv("LLAMA_ATTN_ROT_DISABLE", "1")
    assert not load_tiny(path=str(path), cache_type_k="q8_0").info.can_shift


def test_a_cache_type_that_does_not_suit_the_model_is_refused(load_tiny: LoadTiny) -> None:
    with pytest.raises(ModelLoadError, match="q8_0 with block size 32 does not divide n_embd_head_k=16"):
        load_tiny(cache_type_k="q8_0")


def test_a_model_that_is_no_causal_decoder_is_refused(tmp_path: Path, load_tiny: LoadTiny) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(metadata={"llama.attention.causal": False}))
    with pytest.raises(ModelLoadError, match="cannot generate text: it is no causal decoder"):
        load_tiny(path=str(path))


def test_a_decode_that_fails_in_the_library_leaves_a_true_count(library: Library, load_tiny: LoadTiny) -> None:
    model = load_tiny(n_ctx=64)
    model.compute.decode([Segment(0, 0, [1, 2, 3], 0), Segment(1, 0, [4], 0)])
    stop = library.api.ggml_abort_callback(lambda _: True)
    go_on = library.api.ggml_abort_callback()
    library.api.llama_set_abort_callback(model.compute.pointer, stop, None)
    with pytest.raises(DecodeFailed, match="failed with code 2"):
        model.compute.decode([Segment(0, 3, [5] * 20, 1)])
    library.api.llama_set_abort_callback(model.compute.pointer, go_on, None)

    assert model.memory.position_max(1) == 0
    assert model.memory.remove(0, 0, -1)
    # 63 cells are free if the lost tokens were not counted.
    model.compute.decode([Segment(0, 0, [6] * 63, 1)])
    assert np.isfinite(model.compute.logits(0)).all()
    with pytest.raises(CacheFull):
        model.compute.decode([Segment(1, 1, [7], 1)])


def test_what_a_failed_decode_has_finished_is_counted(library: Library, load_tiny: LoadTiny) -> None:
    """The library evaluates 512 tokens at a time; those before the failure stay in memory."""
    model = load_tiny(n_ctx=1100, n_batch=1024)
    n_calls, limit = 0, 1_000_000

    def count(_: object) -> bool:
        nonlocal n_calls
        n_calls += 1
        return n_calls > limit

    callback = library.api.ggml_abort_callback(count)
    library.api.llama_set_abort_callback(model.compute.pointer, callback, None)
    model.compute.decode([Segment(1, 0, [5] * 512, 0)])
    assert model.memory.remove(1, 0, -1)
    n_calls, limit = 0, n_calls + 1
    with pytest.raises(DecodeFailed, match="failed with code 2"):
        model.compute.decode([Segment(0, 0, [5] * 1000, 1)])
    limit = 1_000_000

    assert model.memory.position_max(0) == 511
    model.compute.decode([Segment(0, 512, [6] * 588, 1)])
    with pytest.raises(CacheFull):
        model.compute.decode([Segment(1, 0, [7], 1)])


def test_failures_of_the_library_give_no_logits(tiny: LlamaModel) -> None:
    tiny.compute.decode([Segment(0, 0, [1], 1)])
    with pytest.raises(DecodeFailed):
        tiny.compute.decode([Segment(0, 5, [1], 1)])
    with pytest.raises(ValueError, match="segment 0 has no row 0: the last decode had 0 segments"):
        tiny.compute.logits(0)


def test_logits_are_views_of_the_librarys_memory(library: Library, tiny: LlamaModel) -> None:
    segments = [Segment(1, 0, [3, 4, 5], 2), Segment(2, 0, [6], 0), Segment(0, 0, [1, 2], 1)]
    tiny.compute.decode(segments)
    matrix = tiny.compute.all_logits()
    assert matrix.shape == (3, tiny.info.n_vocab)
    # The tokens of the batch that wanted logits.
    for row, token in enumerate((1, 2, 5)):
        assert matrix[row].ctypes.data == library.short.get_logits_ith(tiny.compute.pointer, token)
    rows = [tiny.compute.logits(0, 0), tiny.compute.logits(0, 1), tiny.compute.logits(2)]
    assert [row.ctypes.data for row in rows] == [row.ctypes.data for row in matrix]
    tiny.compute.decode([Segment(0, 2, [7], 0)])
    assert tiny.compute.all_logits().shape == (0, tiny.info.n_vocab)


def test_a_closed_model_refuses_to_work(tiny: LlamaModel) -> None:
    tiny.close()
    tiny.close()
    with pytest.raises(DecodeFailed, match="closed"):
        tiny.compute.decode([Segment(0, 0, [1], 1)])
    with pytest.raises(DecodeFailed, match="closed"):
        tiny.compute.hidden([Segment(0, 0, [1], 1)])
    for call in (
        lambda: tiny.memory.position_max(0),
        lambda: tiny.memory.unshare(0),
        lambda: tiny.memory.remove(0, 0, -1),
    ):
        with pytest.raises(ValueError, match="closed"):
            call()
    with pytest.raises(ValueError, match="no row"):
        tiny.compute.logits(0)
    assert tiny.info.n_cells == 64


def test_without_embeddings_there_are_no_hidden_states(tiny: LlamaModel) -> None:
    assert tiny.info.n_hidden == 0
    with pytest.raises(DecodeFailed, match="1 tokens in one call; allowed: none"):
        tiny.compute.hidden([Segment(0, 0, [1], 0)])
    assert tiny.memory.position_max(0) == -1


@pytest.mark.parametrize(
    ("pooling_type", "pooling", "n_hidden"),
    [
        (None, Pooling.LAST, 128),
        (0, Pooling.LAST, 128),
        (1, Pooling.MEAN, 128),
        (2, Pooling.CLS, 128),
        (3, Pooling.LAST, 128),
        pytest.param(4, Pooling.RANK, 0, id="a reranker gives no embeddings"),
    ],
)
def test_pooling_is_what_the_metadata_says(
    tmp_path: Path, load_tiny: LoadTiny, pooling_type: int | None, pooling: Pooling, n_hidden: int
) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(metadata={"llama.pooling_type": pooling_type}))
    model = load_tiny(path=str(path), embedding=True)
    assert (model.info.pooling, model.info.n_hidden) == (pooling, n_hidden)
    if n_hidden:
        # Whatever the pooling, every token has a state of its own.
        rows = model.compute.hidden([Segment(0, 0, [65, 66, 67], 0)])
        assert len(np.unique(rows, axis=0)) == 3


def test_an_overridden_pooling_counts(load_tiny: LoadTiny) -> None:
    model = load_tiny(embedding=True, kv_overrides=(KvOverride("llama.pooling_type", 1),))
    assert model.info.pooling is Pooling.MEAN
    assert model.compute.hidden([Segment(0, 0, [65, 66, 67], 0)]).shape == (3, model.info.n_embd)


def test_hidden_states_of_a_failed_call_turn_generation_on_again(library: Library, load_tiny: LoadTiny) -> None:
    model = load_tiny(embedding=True)
    stop = library.api.ggml_abort_callback(lambda _: True)
    go_on = library.api.ggml_abort_callback()
    library.api.llama_set_abort_callback(model.compute.pointer, stop, None)
    with pytest.raises(DecodeFailed, match="failed with code 2"):
        model.compute.hidden([Segment(0, 0, [5] * 20, 0)])
    library.api.llama_set_abort_callback(model.compute.pointer, go_on, None)
    assert (model.memory.position_max(0), model.memory.cells_free) == (-1, 64)
    model.compute.decode([Segment(0, 0, [5, 6], 0), Segment(1, 0, [7], 1)])
    assert np.isfinite(model.compute.logits(1)).all()
