"""A projector file that cannot be used is one line at start, whatever is wrong with it, and never a core that dies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from service.errors import ProjectorFailed
from service.prompts.work import Work
from tests.support import image_files as files
from tests.support.changed_gguf import write_changed
from tests.support.image_encoders import Encoders, media_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.seeing_model import Kind, SeeingModels

Change = tuple["Kind", dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def encoders(seeing: SeeingModels) -> Iterator[Encoders]:
    made = Encoders(seeing.default)
    yield made
    made.close()


def refusal(encoders: Encoders, path: Path, **options: Any) -> str:
    """What is said about a file; one line that names it."""
    with pytest.raises(ProjectorFailed) as caught:
        encoders.start(path, **options)
    assert "\n" not in caught.value.message
    assert str(path) in caught.value.message
    return caught.value.message


def zeros(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.zeros(shape, np.float32)


NOT_A_NUMBER = np.full((576, 16), np.nan, np.float32)
ONE_THAT_IS_NONE = np.where(np.arange(576) == 99, np.nan, 0).astype(np.float32)
PREFIX = "clip.vision."
#: Kind of projector, entries and tensors that are changed, by what is wrong; None is what is missing.
CHANGES: dict[str, Change] = {
    "no type": ("causal", {"clip.projector_type": None}, {}),
    "unknown type": ("causal", {"clip.projector_type": "resnet"}, {}),
    "type of another file": ("causal", {"clip.projector_type": "gemma3"}, {}),
    "depends on its place": ("causal", {"clip.projector_type": "hunyuanvl"}, {}),
    "depends on its place too": ("causal", {"clip.projector_type": "deepseek4v"}, {}),
    "wants single tokens": (
        "bidirectional",
        {"clip.projector_type": "idefics3", PREFIX + "projector.scale_factor": 2},
        {"mm.model.fc.weight": zeros(576, 16), "v.position_embd.weight": zeros(4, 4)},
    ),
    "no encoder": ("causal", {"clip.has_vision_encoder": None}, {}),
    "encoder off": ("causal", {"clip.has_vision_encoder": False}, {}),
    "no image size": ("causal", {PREFIX + "image_size": None}, {}),
    "image size 0": ("causal", {PREFIX + "image_size": 0}, {}),
    "image size 100000": ("causal", {PREFIX + "image_size": 100_000}, {}),
    "image size too large": ("causal", {PREFIX + "image_size": 4096}, {}),
    "no patch size": ("causal", {PREFIX + "patch_size": None}, {}),
    "patch size 0": ("causal", {PREFIX + "patch_size": 0}, {}),
    "patch size 8": ("causal", {PREFIX + "patch_size": 8}, {}),
    "patch size 32": ("causal", {PREFIX + "patch_size": 32}, {}),
    "no embedding length": ("causal", {PREFIX + "embedding_length": None}, {}),
    "embedding length 1000": ("grid", {PREFIX + "embedding_length": 1000}, {}),
    "no block count": ("causal", {PREFIX + "block_count": None}, {}),
    "too many blocks": ("grid", {PREFIX + "block_count": 7}, {}),
    "no head count": ("grid", {PREFIX + "attention.head_count": None}, {}),
    "head count 0": ("grid", {PREFIX + "attention.head_count": 0}, {}),
    "head count 5": ("grid", {PREFIX + "attention.head_count": 5}, {}),
    "no epsilon": ("causal", {PREFIX + "attention.layer_norm_epsilon": None}, {}),
    "no mean": ("causal", {PREFIX + "image_mean": None}, {}),
    "no deviation": ("causal", {PREFIX + "image_std": None}, {}),
    "no merge": ("bidirectional", {PREFIX + "projector.scale_factor": 0}, {}),
    "no patches": ("causal", {}, {"v.patch_embd.weight": None}),
    "no positions": ("causal", {}, {"v.position_embd.weight": None}),
    "no first layer": ("causal", {}, {"mm.0.weight": None}),
    "no first offsets": ("causal", {}, {"mm.0.bias": None}),
    "no second layer": ("causal", {}, {"mm.2.weight": None}),
    "no second offsets": ("causal", {}, {"mm.2.bias": None}),
    "no second patches": ("grid", {}, {"v.patch_embd.weight.1": None}),
    "no queries": ("grid", {}, {"v.blk.0.attn_q.weight": None}),
    "no outputs": ("grid", {}, {"v.blk.0.attn_out.weight": None}),
    "no upward": ("grid", {}, {"v.blk.0.ffn_up.weight": None}),
    "no norm": ("bidirectional", {}, {"mm.soft_emb_norm.weight": None}),
    "no projection": ("bidirectional", {}, {"mm.input_projection.weight": None}),
    "few positions": ("causal", {}, {"v.position_embd.weight": zeros(2, 3)}),
    "narrow positions": ("causal", {}, {"v.position_embd.weight": zeros(4, 2)}),
    "narrow first layer": ("causal", {}, {"mm.0.weight": zeros(16, 2)}),
    "narrow second layer": ("causal", {}, {"mm.2.weight": zeros(576, 8)}),
    "wide rows": ("causal", {}, {"mm.2.weight": zeros(640, 16), "mm.2.bias": zeros(640)}),
    "short offsets": ("causal", {}, {"mm.2.bias": zeros(100)}),
    "narrow queries": ("grid", {}, {"v.blk.0.attn_q.weight": zeros(16, 32)}),
    "small kernel": ("causal", {}, {"v.patch_embd.weight": zeros(3, 3, 8, 8)}),
    "one channel": ("causal", {}, {"v.patch_embd.weight": zeros(3, 1, 16, 16)}),
    "not a number": ("causal", {}, {"mm.2.weight": NOT_A_NUMBER}),
    "one number that is none": ("causal", {}, {"mm.2.bias": ONE_THAT_IS_NONE}),
    "infinite": ("causal", {}, {"v.position_embd.weight": np.full((4, 3), np.inf, np.float32)}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_damaged_projector_is_refused_in_one_line(
    encoders: Encoders, seeing: SeeingModels, tmp_path: Path, name: str
) -> None:
    kind, entries, tensors = CHANGES[name]
    path = write_changed(seeing.projector(kind).path, tmp_path / "mmproj.gguf", entries=entries, tensors=tensors)
    refusal(encoders, path)


@pytest.mark.parametrize("part", [0.0, 0.001, 0.01, 0.02, 0.5, 0.99, 0.99999])
def test_a_projector_that_was_cut_is_refused_by_its_length(
    encoders: Encoders, seeing: SeeingModels, tmp_path: Path, part: float
) -> None:
    data = seeing.projector("causal").path.read_bytes()
    path = tmp_path / "mmproj.gguf"
    path.write_bytes(data[: int(len(data) * part)])
    said = refusal(encoders, path)
    assert any(words in said for words in ("is empty", "is truncated", "is not a GGUF file"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text", b"not a model" * 100, "is not a GGUF file"),
        ("wrong magic", b"FUGG" + bytes(1000), "is not a GGUF file"),
        ("zeros", bytes(4096), "is not a GGUF file"),
    ],
)
def test_what_is_no_gguf_file_is_refused(
    encoders: Encoders, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert words in refusal(encoders, path)


def test_a_missing_file_a_directory_and_a_text_model_are_named(
    encoders: Encoders, seeing: SeeingModels, tmp_path: Path
) -> None:
    assert "No such file" in refusal(encoders, tmp_path / "missing.gguf")
    assert "directory" in refusal(encoders, tmp_path)
    assert "is no projector: it has no clip.projector_type" in refusal(encoders, seeing.default)


def test_a_projector_for_another_width_is_refused_with_both(encoders: Encoders, seeing: SeeingModels) -> None:
    path = seeing.projector("bidirectional", "gemma").path
    said = refusal(encoders, path)
    assert "mismatch between text model (n_embd = 576) and mmproj (n_embd = 640)" in said


def test_what_is_wrong_is_said_in_words(encoders: Encoders, seeing: SeeingModels, tmp_path: Path) -> None:
    said = {}
    for name in ("depends on its place", "wants single tokens", "not a number", "small kernel", "no first layer"):
        kind, entries, tensors = CHANGES[name]
        path = tmp_path / f"{name}.gguf"
        write_changed(seeing.projector(kind).path, path, entries=entries, tensors=tensors)
        said[name] = refusal(encoders, path)
    assert "hunyuanvl, which is not supported" in said["depends on its place"]
    assert "puts tokens around pictures that the vocabulary of" in said["wants single tokens"]
    assert "ends the process that loads it (SIGSEGV)" in said["no first layer"]
    assert "not finite" in said["not a number"]
    assert "v.patch_embd.weight is made for 8 x 8" in said["small kernel"]


def test_a_file_that_is_whole_is_taken(encoders: Encoders, seeing: SeeingModels, tmp_path: Path) -> None:
    """Copied by what makes the damaged ones."""
    path = write_changed(seeing.projector("causal").path, tmp_path / "mmproj.gguf")
    assert media_of(encoders.start(path).encode([files.plain(32, 32)], Work())[0])
