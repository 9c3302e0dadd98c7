"""What is wrong with an adapter is said before the library sees it; most of this would end the process there."""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import pytest

from service.config import LoraAdapter, ModelConfig
from service.llama.files.gguf import read_header
from service.llama.files.identity import file_digest
from service.llama.files.lora_files import FLOAT32_MAX, AdapterFile
from service.llama.files.preflight import check_model_file
from service.llama.load_errors import ModelLoadError
from service.model_facts import AdapterInfo
from tests.support.tiny_gguf import (
    TinyAdapter,
    TinyModel,
    random_factors,
    tensors_of,
    write_tiny_adapter,
    write_tiny_gguf,
)

if TYPE_CHECKING:
    from pathlib import Path

MODEL = TinyModel()
QUERY, OUTPUT = "blk.0.attn_q.weight", "output.weight"
FACTORS = {QUERY: random_factors(MODEL, QUERY), OUTPUT: random_factors(MODEL, OUTPUT)}
PLENTY = 1 << 40


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    """The model that adapters are for."""
    return write_tiny_gguf(tmp_path / "model.gguf", MODEL)


def check(model: Path, *adapters: Path | str | LoraAdapter, available: int = PLENTY) -> tuple[AdapterFile, ...]:
    """Check adapters with a model."""
    lora = tuple(item if isinstance(item, LoraAdapter) else LoraAdapter(str(item)) for item in adapters)
    return check_model_file(ModelConfig(str(model), lora=lora), lambda: available).adapters


def refusal(model: Path, adapter: Path | str, scale: float = 1.0) -> str:
    """Why an adapter is refused, without what all such messages begin with."""
    with pytest.raises(ModelLoadError) as caught:
        check(model, LoraAdapter(str(adapter), scale))
    beginning = f"LoRA adapter {adapter} of `lora` "
    assert caught.value.message.startswith(beginning)
    return caught.value.message.removeprefix(beginning)


def write(folder: Path, **changes: Any) -> Path:
    """An adapter that differs from a sound one."""
    return write_tiny_adapter(folder / "adapter.gguf", TinyAdapter(**({"factors": FACTORS} | changes)))


def test_a_sound_adapter_tells_its_facts(tmp_path: Path, model_path: Path) -> None:
    norm = np.ones(MODEL.n_embd, np.float32)
    told: dict[str, Any] = {"adapter.lora.task_name": "verse", "adapter.lora.prompt_prefix": "Sing: "}
    path = write(tmp_path, alpha=4.0, tensors={"blk.0.attn_norm.weight": norm}, metadata=told)
    size_bytes = sum(tensor.n_bytes for tensor in gguf.GGUFReader(path).tensors)
    info = AdapterInfo(str(path), file_digest(path).hex(), FLOAT32_MAX / 4, "verse", "Sing: ")
    assert check(model_path, LoraAdapter(str(path), 0.5)) == (AdapterFile(path, 0.5, size_bytes, 2, 1, info),)


def test_without_adapters_there_are_none(model_path: Path) -> None:
    assert check(model_path) == ()


def test_files_are_listed_once_in_the_order_of_their_first_mention(tmp_path: Path, model_path: Path) -> None:
    first = write_tiny_adapter(tmp_path / "first.gguf", TinyAdapter(FACTORS))
    second = write_tiny_adapter(tmp_path / "second.gguf", TinyAdapter(FACTORS))
    given = [LoraAdapter(str(second), 2.0), LoraAdapter(str(first)), LoraAdapter(str(second), -0.5)]
    assert [(file.path, file.scale) for file in check(model_path, *given)] == [(second, 1.5), (first, 1.0)]


def test_adapters_need_memory_too(tmp_path: Path, model_path: Path) -> None:
    path = write(tmp_path)
    plain, adapted = (
        check_model_file(ModelConfig(str(model_path), lora=lora), lambda: PLENTY)
        for lora in ((), (LoraAdapter(str(path)),))
    )
    assert adapted.memory.weights - plain.memory.weights == adapted.adapters[0].size_bytes > 0
    assert adapted.size_bytes == plain.size_bytes
    needed = plain.memory.total(plain.n_ctx)
    check(model_path, available=needed)
    with pytest.raises(ModelLoadError, match="of memory"):
        check(model_path, path, available=needed)


def test_a_split_model_is_looked_at_as_a_whole(tmp_path: Path) -> None:
    path = write_tiny_gguf(
        tmp_path / "big-00001-of-00002.gguf",
        TinyModel(metadata={"split.count": 2, "split.no": 0, "split.tensors.count": 12}),
    )
    writer = gguf.GGUFWriter(str(tmp_path / "big-00002-of-00002.gguf"), "llama")
    writer.add_tensor("blk.1.extra.weight", np.zeros((8, 16), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    factors = {"blk.1.extra.weight": (np.ones((2, 16), np.float32), np.ones((8, 2), np.float32))}
    assert check(path, write(tmp_path, factors=FACTORS | factors))[0].n_matrices == 3


def test_a_file_that_cannot_be_read_is_refused(
    tmp_path: Path, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(model_path, tmp_path / "none.gguf") == "does not exist; check `lora`"
    assert refusal(model_path, tmp_path) == "is a directory; `lora` must name a GGUF file"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(model_path, tmp_path / "pipe") == "is not a regular file; `lora` must name a GGUF file"
    monkeypatch.chdir(tmp_path)
    assert refusal(model_path, "none.gguf") == f"does not exist in {tmp_path}; check `lora`"
    (tmp_path / "text.gguf").write_text("not an adapter")
    assert "is not a GGUF file" in refusal(model_path, "text.gguf")


def test_a_truncated_file_is_refused(tmp_path: Path, model_path: Path) -> None:
    path = write(tmp_path)
    os.truncate(path, path.stat().st_size - 64)
    assert "is truncated: " in refusal(model_path, path)


def test_a_model_is_no_adapter(tmp_path: Path, model_path: Path) -> None:
    assert refusal(model_path, model_path) == "is not an adapter: its general.type is missing, allowed: 'adapter'"
    other = write_tiny_gguf(tmp_path / "other.gguf", TinyModel(metadata={"general.type": "model"}))
    assert refusal(model_path, other) == "is a model and not an adapter; `path` names a model"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"architecture": "qwen2"},
            "is for models of the architecture 'qwen2', but the architecture of this model is 'llama'",
        ),
        ({"metadata": {"general.type": 1}}, "its general.type is 1, allowed: 'adapter'"),
        ({"metadata": {"adapter.type": None}}, "its adapter.type is missing, allowed: 'lora'"),
        ({"metadata": {"adapter.type": "dora"}}, "its adapter.type is 'dora', allowed: 'lora'"),
        ({"metadata": {"adapter.type": 2.5}}, "its adapter.type is 2.5, allowed: 'lora'"),
        ({"metadata": {"adapter.alora.invocation_tokens": [1, 2]}}, "is an activated LoRA"),
        ({"metadata": {"adapter.lora.alpha": 16}}, "its adapter.lora.alpha is 16, allowed: a number of the type f32"),
        (
            {"metadata": {"adapter.lora.alpha": "16"}},
            "its adapter.lora.alpha is '16', allowed: a number of the type f32",
        ),
        ({"metadata": {"adapter.lora.alpha": True}}, "its adapter.lora.alpha is True, allowed"),
        ({"alpha": math.nan}, "its adapter.lora.alpha is nan, allowed: any finite number"),
        ({"alpha": -math.inf}, "its adapter.lora.alpha is -inf, allowed: any finite number"),
        ({"metadata": {"general.type\0": "x"}}, "a key of its metadata contains a NUL byte"),
    ],
)
def test_metadata_of_something_else_is_refused(
    tmp_path: Path, model_path: Path, changes: dict[str, Any], told: str
) -> None:
    assert told in refusal(model_path, write(tmp_path, **changes))


def test_an_alpha_of_double_precision_is_refused(tmp_path: Path, model_path: Path) -> None:
    """The library asserts the type; the value alone would pass for one of 32 bits."""
    path = tmp_path / "adapter.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float64("adapter.lora.alpha", 4.0)
    for factor, tensor in zip((A, B), FACTORS[QUERY], strict=True):
        writer.add_tensor(factor, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert "its adapter.lora.alpha is 4.0, allowed: a number of the type f32" in refusal(model_path, path)


def test_a_scale_beyond_32_bits_is_refused(tmp_path: Path, model_path: Path) -> None:
    path = write(tmp_path, alpha=1e20)
    assert check(model_path, LoraAdapter(str(path), 1e18))
    assert "is scaled by 1e+19, which with its adapter.lora.alpha of 1e+20 is more" in refusal(model_path, path, 1e19)


def same(rows: int, columns: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A matrix of ones."""
    return np.ones((rows, columns), np.float32)


A, B = f"{QUERY}.lora_a", f"{QUERY}.lora_b"
EMBEDDING = "token_embd.weight"
N_VOCAB = len(MODEL.tokens)


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        ({A: None}, f"is incomplete: it changes '{QUERY}', but has no '{A}'"),
        ({B: None}, f"is incomplete: it changes '{QUERY}', but has no '{B}'"),
        ({"loose.weight": same(1, 1)}, "has the tensor 'loose.weight', which is no part of a LoRA"),
        (
            {"blk.9.attn_q.weight.lora_a": same(2, 64), "blk.9.attn_q.weight.lora_b": same(64, 2)},
            "changes 'blk.9.attn_q.weight', which this model does not have",
        ),
        (
            {A: same(2, 32)},
            f"does not fit '{QUERY}' of the shape (64, 64): its factors have the shapes (32, 2) and (2, 64)",
        ),
        ({B: same(32, 2)}, f"does not fit '{QUERY}'"),
        ({A: same(3, 64)}, f"does not fit '{QUERY}'"),
        ({A: same(64, 2)}, f"does not fit '{QUERY}'"),
        ({A: np.ones((2, 2, 64), np.float32)}, f"does not fit '{QUERY}'"),
        ({B: np.ones((1, 2, 64, 2), np.float32)}, f"does not fit '{QUERY}'"),
        ({A: np.ones((2, 64), np.float64)}, f"has '{A}' of the type f64, allowed: f32, f16, bf16, q8_0"),
        ({B: np.ones((64, 2), np.int32)}, f"has '{B}' of the type i32, allowed"),
        (
            {"blk.0.attn_norm.weight.lora_a": same(2, 64), "blk.0.attn_norm.weight.lora_b": same(1, 2)},
            "changes 'blk.0.attn_norm.weight', but llama.cpp can only change matrices",
        ),
        (
            {f"{EMBEDDING}.lora_a": same(2, 64), f"{EMBEDDING}.lora_b": same(N_VOCAB, 2)},
            f"does not fit '{EMBEDDING}'",
        ),
        (
            {f"{EMBEDDING}.lora_a": same(N_VOCAB, 2), f"{EMBEDDING}.lora_b": same(64, 3)},
            f"does not fit '{EMBEDDING}'",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    tmp_path: Path, model_path: Path, tensors: dict[str, Any], told: str
) -> None:
    assert told in refusal(model_path, write(tmp_path, tensors=tensors))


def test_factors_without_elements_are_refused(tmp_path: Path, model_path: Path) -> None:
    empty = {A: np.ones((0, 64), np.float32), B: np.ones((64, 0), np.float32)}
    assert f"its tensors for '{QUERY}' are empty" in refusal(model_path, write(tmp_path, tensors=empty))


def test_an_adapter_that_changes_nothing_is_refused(tmp_path: Path, model_path: Path) -> None:
    norm = {"output_norm.weight": np.ones(64, np.float32)}
    for tensors in ({}, norm):
        told = refusal(model_path, write(tmp_path, factors={}, tensors=tensors))
        assert told == "changes nothing: it has no tensors that end in .lora_a and .lora_b"


def test_an_embedding_that_is_the_output_as_well_is_refused(tmp_path: Path) -> None:
    """The library would multiply the factors, which are stored the other way round for rows that are looked up."""
    model = write_tiny_gguf(tmp_path / "tied.gguf", TinyModel(has_output=False))
    adapter = write(tmp_path, factors={EMBEDDING: random_factors(MODEL, EMBEDDING)})
    assert f"changes '{EMBEDDING}', which llama.cpp cannot do for this model" in refusal(model, adapter)
    assert check(model, write(tmp_path, factors={QUERY: FACTORS[QUERY]}))


def test_names_of_nonsense_are_shown_short(tmp_path: Path, model_path: Path) -> None:
    told = refusal(model_path, write(tmp_path, tensors={"\n" * 5000: same(1, 1)}))
    assert len(told) < 300
    assert told.isprintable()


N_DAMAGED = 160


def damaged_bytes(generator: random.Random, sound: Path) -> bytes:
    """A sound adapter whose header was changed at one or two places."""
    header = read_header(sound)
    content = bytearray(sound.read_bytes())
    for _ in range(generator.choice((1, 1, 2))):
        place = generator.randrange(4, header.data_end - header.tensor_bytes)
        content[place] = generator.choice((0, 1, 2, 8, 255, generator.randrange(256)))
    return bytes(content)


def strange_adapter(generator: random.Random) -> TinyAdapter:
    """An adapter for one matrix, with an entry, a shape or a type that few adapters have."""
    name, tensor = generator.choice(sorted(tensors_of(MODEL).items()))
    n_out, n_in = tensor.shape if tensor.ndim == 2 else (1, tensor.size)
    rank = generator.choice((1, 2, 32))
    shapes = [[n_out, rank], [n_in, rank]] if name == EMBEDDING else [[rank, n_in], [n_out, rank]]
    metadata: dict[str, Any] = {}
    match generator.randrange(8):
        case 0:
            key = generator.choice(("general.type", "adapter.type", "adapter.lora.alpha"))
            metadata[key] = generator.choice((1, 2.0, True, [1], "adapter", None))
        case 1 | 2 | 3:
            shape = generator.choice(shapes)
            shape[generator.randrange(2)] = generator.choice((1, 2, 3, 32, 64))
        case 4:
            shape = generator.choice(shapes)
            shape.insert(0, generator.choice((1, 2)))
    types = [generator.choice((np.float32, np.float32, np.float16, np.float64, np.int32)) for _ in shapes]
    a, b = (np.ones(shape, kind) for shape, kind in zip(shapes, types, strict=True))
    return TinyAdapter({name: (a, b)}, metadata=metadata)


def test_the_library_survives_whatever_the_check_takes(tmp_path: Path, model_path: Path) -> None:
    """In a process of its own: it would be the one that ends."""
    names = (QUERY, OUTPUT, EMBEDDING)
    factors = {name: random_factors(MODEL, name) for name in names}
    sound = write_tiny_adapter(tmp_path / "sound.gguf", TinyAdapter(factors, alpha=2.0))
    folder = tmp_path / "damaged"
    folder.mkdir()
    generator = random.Random(20)
    for number in range(N_DAMAGED):
        path = folder / f"{number:03}.gguf"
        if number % 2:
            path.write_bytes(damaged_bytes(generator, sound))
        else:
            write_tiny_adapter(path, strange_adapter(generator))
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.lora_probe", str(model_path), str(folder)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"after {outcomes[-1:]}: {done.stderr[-500:]}"
    counts = Counter(outcome["outcome"] for outcome in outcomes)
    assert sum(counts.values()) == N_DAMAGED
    assert min(counts["refused"], counts["works"]) > N_DAMAGED // 10
