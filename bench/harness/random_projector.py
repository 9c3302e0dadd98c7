"""Writes projectors with random weights, in the shape of a real vision encoder: what they cost is real, what they see
is not. Real ones are not in the package registries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gguf
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Tensors = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class RandomProjector:
    """A vision transformer with a projector of the kind of Nemotron's, whose rows are causal; SigLIP-base by default.

    It takes pictures of one size, and 2 x 2 patches become one row.

    Attributes:
        n_embd: length of a row: that of the text model's embeddings.
        image_size, patch_size: pixels on each side.
        width, n_layers, n_heads, n_hidden: of the transformer.
        seed: of the weights.
    """

    n_embd: int
    image_size: int = 512
    patch_size: int = 16
    width: int = 768
    n_layers: int = 12
    n_heads: int = 12
    n_hidden: int = 3072
    seed: int = 0

    @property
    def n_rows(self) -> int:
        """Rows of a picture."""
        return (self.image_size // self.patch_size // 2) ** 2


def write_random_projector(path: Path, model: RandomProjector) -> Path:
    """Write a projector; matrices have half precision. Returns the path."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "nemotron_v2_vl")
    writer.add_bool("clip.use_gelu", True)
    writer.add_uint32("clip.vision.image_size", model.image_size)
    writer.add_uint32("clip.vision.patch_size", model.patch_size)
    writer.add_uint32("clip.vision.embedding_length", model.width)
    writer.add_uint32("clip.vision.feed_forward_length", model.n_hidden)
    writer.add_uint32("clip.vision.projection_dim", model.n_embd)
    writer.add_uint32("clip.vision.block_count", model.n_layers)
    writer.add_uint32("clip.vision.attention.head_count", model.n_heads)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-6)
    writer.add_uint32("clip.vision.projector.scale_factor", 2)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    for name, tensor in _tensors(model).items():
        # The library adds and normalises in single precision only.
        is_matrix = tensor.ndim > 1 and not name.startswith(("v.position", "v.class"))
        writer.add_tensor(name, tensor.astype(np.float16) if is_matrix else tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(model: RandomProjector) -> Tensors:
    """The weights; matrices are (n_out, n_in)."""
    random = np.random.default_rng(model.seed)
    width, merged = model.width, 4 * model.width

    def matrix(*shape: int) -> npt.NDArray[np.float32]:
        return random.normal(0.0, 1.0 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)

    tensors: Tensors = {
        "v.patch_embd.weight": matrix(width, 3, model.patch_size, model.patch_size),
        "v.position_embd.weight": matrix((model.image_size // model.patch_size) ** 2, width),
        "v.class_embd": matrix(1, width),
        "mm.model.mlp.0.weight": np.ones(merged, np.float32),
        "mm.model.mlp.1.weight": matrix(merged, merged),
        "mm.model.mlp.3.weight": matrix(model.n_embd, merged),
    }
    for layer in range(model.n_layers):
        block = f"v.blk.{layer}"
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            tensors[f"{block}.{part}.weight"] = matrix(width, width)
            tensors[f"{block}.{part}.bias"] = np.zeros(width, np.float32)
        tensors[f"{block}.ffn_up.weight"] = matrix(model.n_hidden, width)
        tensors[f"{block}.ffn_up.bias"] = np.zeros(model.n_hidden, np.float32)
        tensors[f"{block}.ffn_down.weight"] = matrix(width, model.n_hidden)
        tensors[f"{block}.ffn_down.bias"] = np.zeros(width, np.float32)
        for part in ("ln1", "ln2"):
            tensors[f"{block}.{part}.weight"] = np.ones(width, np.float32)
            tensors[f"{block}.{part}.bias"] = np.zeros(width, np.float32)
    return tensors
