"""What the library's own helper makes of prompts with pictures, in a process of its own: libmtmd may end it.

``python -m tests.support.library_helper`` reads a task from standard input and writes the answers to standard output,
as JSON. The helper evaluates chunk after chunk in a fresh context, one prompt after the other.
"""

from __future__ import annotations

import base64
import ctypes
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from service.llama.host.library import load_library

if TYPE_CHECKING:
    from pathlib import Path

Pixels = npt.NDArray[np.uint8]
#: A prompt: texts, and pictures as bytes of shape (height, width, 3).
Prompt = Sequence[str | Pixels]

_N_CTX = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What follows a prompt.

    Attributes:
        n_cells, n_positions: of the prompt.
        tokens: the likeliest ones, one after the other.
        logits: those that each of them was chosen from: float32, shape (len(tokens), n_vocab).
    """

    n_cells: int
    n_positions: int
    tokens: list[int]
    logits: npt.NDArray[np.float32]


def helper_answers(
    model: Path, projector: Path, prompts: Sequence[Prompt], *, n_tokens: int, n_batch: int = 512
) -> list[Answer]:
    """Evaluate prompts by the library's helper.

    Args:
        model: the text model.
        projector: for its pictures.
        prompts: texts, in which names of control tokens count, and pictures.
        n_tokens: how many tokens are chosen behind each prompt.
        n_batch: most tokens or rows of one call.
    """
    task = {
        "model": str(model),
        "projector": str(projector),
        "n_tokens": n_tokens,
        "n_batch": n_batch,
        "prompts": [[part if isinstance(part, str) else _packed(part) for part in prompt] for prompt in prompts],
    }
    command = [sys.executable, "-m", "tests.support.library_helper"]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"status {done.returncode}: {done.stderr[-4000:]}"
    return [
        Answer(one["n_cells"], one["n_positions"], one["tokens"], _floats(one["logits"], n_tokens))
        for one in json.loads(done.stdout)
    ]


def _packed(pixels: Pixels) -> dict[str, Any]:
    return {"height": pixels.shape[0], "width": pixels.shape[1], "rgb": base64.b64encode(pixels.tobytes()).decode()}


def _floats(text: str, n_rows: int) -> npt.NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text), np.float32).reshape(n_rows, -1)


class _Helper:
    """A text model and a projector, for one prompt after the other."""

    def __init__(self, task: dict[str, Any], stack: ExitStack) -> None:
        # Only this process may load libmtmd.
        from llama_cpp import mtmd_cpp

        self._api, self._mtmd = load_library().api, mtmd_cpp
        self._n_batch: int = task["n_batch"]
        self._n_tokens: int = task["n_tokens"]
        self._model = self._api.llama_model_load_from_file(
            task["model"].encode(), self._api.llama_model_default_params()
        )
        assert self._model, task["model"]
        stack.callback(self._api.llama_model_free, self._model)
        params = mtmd_cpp.mtmd_context_params_default()
        params.use_gpu, params.print_timings, params.n_threads = False, False, 1
        self._projector = mtmd_cpp.mtmd_init_from_file(task["projector"].encode(), self._model, params)
        assert self._projector, task["projector"]
        stack.callback(mtmd_cpp.mtmd_free, self._projector)
        self._n_vocab = self._api.llama_vocab_n_tokens(self._api.llama_model_get_vocab(self._model))

    def answer(self, parts: list[str | dict[str, Any]]) -> dict[str, Any]:
        with ExitStack() as stack:
            chunks = self._chunks(parts, stack)
            context = self._context(stack)
            position = self._api.llama_pos(0)
            status = self._mtmd.mtmd_helper_eval_chunks(
                self._projector, context, chunks, 0, 0, self._n_batch, True, ctypes.byref(position)
            )
            assert status == 0, f"the helper failed with code {status}"
            tokens, rows = self._go_on(context, position.value)
            return {
                "n_cells": self._mtmd.mtmd_helper_get_n_tokens(chunks),
                "n_positions": position.value,
                "tokens": tokens,
                "logits": base64.b64encode(np.concatenate(rows).tobytes()).decode(),
            }

    def _chunks(self, parts: list[str | dict[str, Any]], stack: ExitStack) -> Any:
        mtmd = self._mtmd
        marker = mtmd.mtmd_default_marker().decode()
        text = "".join(part if isinstance(part, str) else marker for part in parts)
        bitmaps = []
        for part in parts:
            if isinstance(part, str):
                continue
            data = base64.b64decode(part["rgb"])
            pixels = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
            bitmaps.append(mtmd.mtmd_bitmap_init(part["width"], part["height"], pixels))
            stack.callback(mtmd.mtmd_bitmap_free, bitmaps[-1])
        chunks = mtmd.mtmd_input_chunks_init()
        stack.callback(mtmd.mtmd_input_chunks_free, chunks)
        prompt = mtmd.mtmd_input_text(text.encode(), len(text.encode()), True, True)
        array = (mtmd.mtmd_bitmap_p_ctypes * len(bitmaps))(*bitmaps)
        status = mtmd.mtmd_tokenize(self._projector, chunks, ctypes.byref(prompt), array, len(bitmaps))
        assert status == 0, f"tokenizing failed with code {status}"
        return chunks

    def _context(self, stack: ExitStack) -> Any:
        params = self._api.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = _N_CTX, self._n_batch, self._n_batch
        params.n_threads = params.n_threads_batch = 1
        params.swa_full = True
        context = self._api.llama_init_from_model(self._model, params)
        assert context
        stack.callback(self._api.llama_free, context)
        return context

    def _go_on(self, context: Any, position: int) -> tuple[list[int], list[npt.NDArray[np.float32]]]:
        """The likeliest tokens, and the logits that they were chosen from."""
        tokens: list[int] = []
        rows = []
        while True:
            address = self._api.llama_get_logits_ith(context, -1)
            rows.append(np.ctypeslib.as_array(address, shape=(self._n_vocab,)).copy())
            tokens.append(int(rows[-1].argmax()))
            if len(tokens) == self._n_tokens:
                return tokens, rows
            batch = self._api.llama_batch_init(1, 0, 1)
            try:
                batch.n_tokens, batch.token[0], batch.pos[0], batch.logits[0] = 1, tokens[-1], position, True
                batch.n_seq_id[0], batch.seq_id[0][0] = 1, 0
                status = self._api.llama_decode(context, batch)
                assert status == 0, f"decoding failed with code {status}"
            finally:
                self._api.llama_batch_free(batch)
            position += 1


def main() -> None:
    """Answer the task of standard input."""
    task = json.load(sys.stdin)
    with ExitStack() as stack:
        helper = _Helper(task, stack)
        json.dump([helper.answer(parts) for parts in task["prompts"]], sys.stdout)


if __name__ == "__main__":
    main()
