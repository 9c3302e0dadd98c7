"""What is wrong with a model file is said before the library sees it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import gguf
import pytest

from service.config import KvOverride, ModelConfig
from service.errors import InvalidArgument
from service.llama.files import open_files as files
from service.llama.files.preflight import ModelFileFacts, check_model_file
from service.llama.load_errors import ModelLoadError
from tests.support.tiny_gguf import TinyModel, write_tiny_gguf

if TYPE_CHECKING:
    from pathlib import Path

PLENTY = 1 << 40


def check(path: Path | str, available: int | None = PLENTY, **options: Any) -> ModelFileFacts:
    """Check a file on a machine with so much memory."""
    return check_model_file(ModelConfig(str(path), **options), lambda: available)


def refusal(path: Path | str, available: int | None = PLENTY, **options: Any) -> str:
    """Why a file is refused."""
    with pytest.raises(ModelLoadError) as caught:
        check(path, available, **options)
    assert str(path) in caught.value.message
    return caught.value.message


def test_a_sound_file_tells_its_facts(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(n_layers=2))
    facts = check(path, n_ctx=100, n_parallel=2)
    assert (facts.path, facts.architecture, facts.name) == (path, "llama", "tiny")
    assert (facts.n_layers, facts.n_ctx_train, facts.n_ctx, facts.n_embd) == (2, 512, 100, 64)
    assert (facts.n_vocab, facts.files) == (261, (path,))
    assert facts.size_bytes == sum(tensor.n_bytes for tensor in gguf.GGUFReader(path).tensors)


def test_without_a_context_size_the_model_decides(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")
    assert check(path, n_ctx=0).n_ctx == 512
    assert check(path, n_ctx=0, kv_overrides=(KvOverride("llama.context_length", 96),)).n_ctx == 96


def test_a_training_context_too_small_for_the_slots_is_refused(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf", TinyModel(n_ctx_train=20))
    message = refusal(path, n_ctx=0, n_parallel=3)
    assert "was trained with a context of 20 tokens, too few for `n_parallel` 3; set `n_ctx`" in message


def test_a_missing_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(tmp_path / "none.gguf").endswith("does not exist; check `path`")
    monkeypatch.chdir(tmp_path)
    assert refusal("none.gguf").endswith(f"does not exist in {tmp_path}; check `path`")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "is a directory; `path` must name a GGUF file" in refusal(tmp_path)


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refusal(tmp_path / "pipe")


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")

    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    # Root, who runs tests in containers, may read everything.
    monkeypatch.setattr(files, "read_header", refuse)
    assert refusal(path).endswith("cannot be read: Permission denied")


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "is empty"), (b"not a model at all", "is not a GGUF file"), (b"GGUF\x03\0\0\0", "is truncated or damaged")],
)
def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    assert told in refusal(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")
    size = path.stat().st_size
    os.truncate(path, size - 1)
    message = refusal(path)
    assert (
        f"is truncated: it has {size - 1} bytes, its tensors end at byte {size}; download or copy it again" in message
    )


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert "has no weights" in refusal(path)


def test_metadata_that_the_library_cannot_bear_is_refused(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")
    assert "llama.block_count is 999" in refusal(path, kv_overrides=(KvOverride("llama.block_count", 999),))


def test_options_are_checked_first() -> None:
    with pytest.raises(InvalidArgument):
        check("/nowhere", n_parallel=0)


def write_split(folder: Path, n_files: int) -> list[Path]:
    """A model in parts: all tensors are in the first."""
    paths = [folder / f"big-{part:05}-of-{n_files:05}.gguf" for part in range(1, n_files + 1)]
    for number, path in enumerate(paths):
        write_tiny_gguf(path, TinyModel(metadata={"split.count": n_files, "split.no": number}))
    return paths


def test_a_split_model_is_checked_as_a_whole(tmp_path: Path) -> None:
    paths = write_split(tmp_path, 3)
    facts = check(paths[0])
    assert facts.files == tuple(paths)
    assert facts.size_bytes == 3 * check(write_tiny_gguf(tmp_path / "one.gguf")).size_bytes


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    paths = write_split(tmp_path, 5)
    paths[3].unlink()
    message = refusal(paths[0])
    assert "is the first of 5 parts, and 1 are missing beside it: big-00004-of-00005.gguf" in message


def test_a_truncated_part_is_named(tmp_path: Path) -> None:
    paths = write_split(tmp_path, 2)
    os.truncate(paths[1], paths[1].stat().st_size - 1)
    with pytest.raises(ModelLoadError, match=r"big-00002-of-00002\.gguf is truncated"):
        check(paths[0])


def test_the_first_part_must_be_given(tmp_path: Path) -> None:
    paths = write_split(tmp_path, 2)
    assert refusal(paths[1]).endswith(f"is not the first of 2 parts; `path` must name {paths[0]}")


def test_parts_must_keep_their_names(tmp_path: Path) -> None:
    renamed = tmp_path / "big.gguf"
    shutil.move(write_split(tmp_path, 2)[0], renamed)
    assert "its name does not end in -00001-of-00002.gguf" in refusal(renamed)


def test_a_context_that_does_not_fit_into_memory_is_refused_with_one_that_does(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")
    memory = check(path).memory
    available = memory.total(2048)
    message = refusal(path, available, n_ctx=2_000_000_000)
    assert "for a context of 2000000000 tokens" in message
    assert message.endswith("the largest context that fits is `n_ctx` 2048")
    assert check(path, available, n_ctx=2048).n_ctx == 2048
    assert "`n_ctx` 2048" in refusal(path, available, n_ctx=2049)


def test_weights_that_do_not_fit_into_memory_are_refused(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")
    message = refusal(path, 1000)
    assert "no context fits: free memory or take a smaller model" in message


def test_unknown_memory_refuses_nothing(tmp_path: Path) -> None:
    assert check(write_tiny_gguf(tmp_path / "model.gguf"), None, n_ctx=2**30).n_ctx == 2**30


@pytest.mark.parametrize(
    ("libraries", "n_gpu_layers", "is_checked"),
    [
        (("libggml-base.so", "libggml-cpu.so.0", "libllama.so"), -1, True),
        (("libggml-base.so", "libggml-cpu-haswell.so", "libggml-blas.so"), -1, True),
        (("libggml-base.so", "libggml-cpu.so", "libggml-cuda.so"), -1, False),
        (("libggml-base.so", "libggml-cpu.so", "libggml-cuda.so"), 0, True),
        (("libggml-base.so", "libggml-cpu.so", "libggml-vulkan.so.0"), 99, False),
    ],
)
def test_memory_is_not_guessed_if_a_gpu_may_hold_the_model(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    libraries: tuple[str, ...],
    n_gpu_layers: int,
    is_checked: bool,
) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")
    for name in libraries:
        (tmp_path / name).touch()
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    if is_checked:
        refusal(path, 1000, n_gpu_layers=n_gpu_layers)
    else:
        assert check(path, 1000, n_gpu_layers=n_gpu_layers).n_ctx == 512


def test_the_check_loads_no_library(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")
    program = (
        "import sys; from service.config import ModelConfig; "
        "from service.llama.files.preflight import check_model_file; "
        f"check_model_file(ModelConfig({str(path)!r})); "
        "sys.exit(any(name.split('.')[0] in ('llama_cpp', 'numpy') for name in sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
