"""A projector through libmtmd: pixels to the rows that take the place of embeddings."""

from __future__ import annotations

import ctypes
import importlib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from service.llama.host.logs import told_reasons
from service.llama.load_errors import ModelLoadError
from service.media.wire import RawChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from service.engine.request.media import Grid
    from service.llama.context.weights import Weights
    from service.llama.host.library import Pointer
    from service.media.pictures import Bitmap
    from service.media.wire import Setup

_UNSET = -1
#: All but the end of "clip_init: failed to load model 'x.gguf': operator(): unable to find tensor x".
_FUNCTIONS = re.compile(r"^(?:(?:\w+(?:\(\))?|error|failed to load model '[^']*'): )+")
#: A line that gives no reason.
_UNTELLING = "Failed to load CLIP model"


class EncodeStopped(Exception):
    """``go_on`` has ended an encode."""


class EncodeFailed(Exception):
    """The library cannot encode a picture; the text is a predicate of it."""


@dataclass(frozen=True, slots=True)
class ChunkShape:
    """What a chunk of media will be like once it is encoded."""

    n_rows: int
    n_positions: int
    is_causal: bool


class Projector:
    """A loaded projector. Belongs to one thread.

    Args:
        weights: the text model, which must outlive it.
        setup: its file, its size limits, and how it computes.
        go_on: asked after every node of the graph; False ends an encode.

    Attributes:
        n_embd: length of a row.

    Raises:
        ModelLoadError: the library cannot load it, or it takes no pictures; the message quotes the reasons.
    """

    def __init__(self, weights: Weights, setup: Setup, go_on: Callable[[], bool]) -> None:
        self._library = weights.library
        self._api = importlib.import_module("llama_cpp.mtmd_cpp")
        self.n_embd = weights.n_embd_input
        self._is_stopped = False
        self._go_on = go_on
        # The library's helper sets the loggers of both libraries. They must outlive this object, as the library does.
        self._api.mtmd_helper_log_set(self._library.log_callback, None)
        self._callback = self._library.api.ggml_backend_sched_eval_callback(self._after_node)
        self._pointer: Pointer = 0
        with self._library.log.collect_errors() as errors:
            self._pointer = (
                self._api.mtmd_init_from_file(
                    setup.mmproj.encode("utf-8", "surrogateescape"), weights.pointer, self._params(setup)
                )
                or 0
            )
        if not self._pointer:
            raise ModelLoadError(f"projector file {setup.mmproj} cannot be loaded: {_reasons(errors)}")
        if not self._api.mtmd_support_vision(self._pointer):
            self.close()
            raise ModelLoadError(f"projector file {setup.mmproj} takes no pictures, only audio")

    def close(self) -> None:
        """Free it, before the text model. May be called again."""
        pointer, self._pointer = self._pointer, 0
        if pointer:
            self._api.mtmd_free(pointer)

    @property
    def has_grid(self) -> bool:
        """Whether rows have positions in time, y and x."""
        return bool(self._api.mtmd_decode_use_mrope(self._pointer))

    def shape(self, width: int, height: int) -> list[list[int] | ChunkShape]:
        """What a picture of that size becomes: ids of tokens, and chunks of media.

        Raises:
            EncodeFailed: such a picture cannot be encoded.
        """
        with self._tokenized(width, height, None) as chunks:
            return [self._tokens(chunk) or self._shape(chunk) for chunk in chunks]

    def encode(self, bitmap: Bitmap) -> list[list[int] | RawChunk]:
        """Encode a picture: ids of tokens, and chunks of media.

        Raises:
            EncodeFailed: it cannot be encoded.
            EncodeStopped: ``go_on`` has ended it.
        """
        self._is_stopped = False
        with self._tokenized(bitmap.width, bitmap.height, bitmap.pixels) as chunks:
            return [self._tokens(chunk) or self._encode(chunk) for chunk in chunks]

    def _params(self, setup: Setup) -> Any:
        params = self._api.mtmd_context_params_default()
        params.use_gpu = setup.use_gpu
        params.print_timings = False
        params.n_threads = setup.n_threads
        params.image_min_tokens = _UNSET if setup.min_tokens is None else setup.min_tokens
        params.image_max_tokens = _UNSET if setup.max_tokens is None else setup.max_tokens
        params.cb_eval = self._callback
        return params

    def _after_node(self, _tensor: object, is_asking: bool, _data: object) -> bool:
        """The library asks which nodes matter, which are all, and calls again after each of them."""
        if not is_asking and not self._go_on():
            self._is_stopped = True
        return not self._is_stopped or is_asking

    @contextmanager
    def _tokenized(self, width: int, height: int, pixels: bytes | None) -> Iterator[list[Pointer]]:
        """The chunks of a picture alone, without a prompt; without pixels they can only be measured."""
        api = self._api
        data = None if pixels is None else ctypes.cast(ctypes.c_char_p(pixels), ctypes.POINTER(ctypes.c_uint8))
        bitmap = api.mtmd_bitmap_init(width, height, data)
        chunks = api.mtmd_input_chunks_init()
        try:
            part = api.mtmd_input_part(None, bitmap)
            parts = (ctypes.POINTER(api.mtmd_input_part) * 1)(ctypes.pointer(part))
            with self._library.log.collect_errors() as errors:
                status = api.mtmd_tokenize_from_parts(self._pointer, chunks, parts, 1, False)
            # It has copied what it needs.
            api.mtmd_bitmap_free(bitmap)
            bitmap = None
            if status != 0:
                raise EncodeFailed(
                    f"of {width} x {height} pixels cannot be prepared for the projector: {_reasons(errors)}"
                )
            yield [api.mtmd_input_chunks_get(chunks, number) for number in range(api.mtmd_input_chunks_size(chunks))]
        finally:
            if bitmap is not None:
                api.mtmd_bitmap_free(bitmap)
            api.mtmd_input_chunks_free(chunks)

    def _tokens(self, chunk: Pointer) -> list[int]:
        """The tokens of a chunk of text; empty for media."""
        if self._api.mtmd_input_chunk_get_type(chunk) != self._api.MTMD_INPUT_CHUNK_TYPE_TEXT:
            return []
        n_tokens = ctypes.c_size_t()
        tokens = self._api.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(n_tokens))
        return [int(token) for token in tokens[: n_tokens.value]]

    def _shape(self, chunk: Pointer) -> ChunkShape:
        return ChunkShape(
            n_rows=int(self._api.mtmd_input_chunk_get_n_tokens(chunk)),
            n_positions=int(self._api.mtmd_input_chunk_get_n_pos(chunk)),
            is_causal=not self._api.mtmd_decode_use_non_causal(self._pointer, chunk),
        )

    def _encode(self, chunk: Pointer) -> RawChunk:
        shape = self._shape(chunk)
        with self._library.log.collect_errors() as errors:
            status = self._api.mtmd_encode_chunk(self._pointer, chunk)
        if self._is_stopped:  # what it has computed is nothing then, although it says that all is well
            raise EncodeStopped
        if status != 0:
            raise EncodeFailed(f"cannot be encoded: {_reasons(errors)}")
        output = self._api.mtmd_get_output_embd(self._pointer)
        rows = np.ctypeslib.as_array(output, (shape.n_rows, self.n_embd)).copy()
        if not np.isfinite(rows).all():
            raise EncodeFailed("cannot be encoded: the projector computes rows that are not finite")
        grid = self._grid(chunk, shape.n_rows) if self.has_grid else None
        return RawChunk(rows, grid, shape.n_positions, shape.is_causal)

    def _grid(self, chunk: Pointer, n_rows: int) -> Grid:
        image = self._api.mtmd_input_chunk_get_tokens_image(chunk)
        places = [self._api.mtmd_image_tokens_get_decoder_pos(image, 0, row) for row in range(n_rows)]
        return np.array([(place.t, place.y, place.x) for place in places], np.int32)


def _reasons(errors: Iterable[str]) -> str:
    """What the library's lines say, on one line."""
    lines = [" ".join(line.split()) for line in errors]
    return told_reasons(lines, functions=_FUNCTIONS, untelling=_UNTELLING, unknown="unknown projector type")
