"""The library's batch, built over arrays of our own."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.language_model import Segment
    from service.llama.host.library import Library


class Batch:
    """Tokens for one ``llama_decode`` call.

    ``llama_batch_init`` is not used: it allocates an array of sequence ids for each token, and these arrays can neither
    be filled at once nor be replaced, for ``llama_batch_free`` frees what the pointers point to. Here the pointers of
    all tokens lead into one array, so a segment takes a few stores however long it is (1 to 8 tokens: under 10 us).

    Args:
        library: the library.
        capacity: most tokens.
        n_vocab: token ids are below this.
    """

    def __init__(self, library: Library, capacity: int, n_vocab: int) -> None:
        self._n_vocab = n_vocab
        self._tokens = np.zeros(capacity, np.int32)
        self._positions = np.zeros(capacity, np.int32)
        self._seq_ids = np.zeros(capacity, np.int32)
        self._outputs = np.zeros(capacity, np.int8)
        self._ramp = np.arange(capacity, dtype=np.int32)
        self._counts = np.ones(capacity, np.int32)
        first, step = self._seq_ids.ctypes.data, self._seq_ids.itemsize
        self._seq_id_pointers = np.arange(first, first + step * capacity, step, dtype=np.uintp)
        api = library.api
        self.struct = api.llama_batch(
            0,
            pointer_to(self._tokens, ctypes.c_int32),
            None,
            pointer_to(self._positions, ctypes.c_int32),
            pointer_to(self._counts, ctypes.c_int32),
            pointer_to(self._seq_id_pointers, ctypes.POINTER(ctypes.c_int32)),
            pointer_to(self._outputs, ctypes.c_int8),
        )

    def fill(self, segments: Sequence[Segment], *, every_output: bool = False) -> list[int]:
        """Replace the tokens of the batch.

        Args:
            segments: at most ``capacity`` tokens in all; positions and sequence ids are not checked.
            every_output: every token gives an output, not only those whose logits are wanted.

        Returns:
            For each segment the index of its last token.

        Raises:
            ValueError: a token id is outside the vocabulary.
        """
        tokens, positions, seq_ids, outputs = self._tokens, self._positions, self._seq_ids, self._outputs
        last_indices = []
        end = 0
        for segment in segments:
            start, end = end, end + len(segment.tokens)
            if end - start == 1:
                # Most segments are one token of a running answer; slices would take four times as long.
                token = segment.tokens[0]
                if not 0 <= token < self._n_vocab:
                    raise ValueError(f"token {token} is outside the vocabulary of {self._n_vocab}")
                tokens[start] = token
                positions[start] = segment.position
                seq_ids[start] = segment.seq_id
            else:
                if min(segment.tokens) < 0 or max(segment.tokens) >= self._n_vocab:
                    raise ValueError(f"a token of {segment.seq_id} is outside the vocabulary of {self._n_vocab}")
                tokens[start:end] = segment.tokens
                np.add(self._ramp[: end - start], segment.position, out=positions[start:end])
                seq_ids[start:end] = segment.seq_id
                outputs[start:end] = 0
            outputs[end - 1] = segment.n_logits > 0
            if segment.n_logits > 1:
                outputs[end - segment.n_logits : end] = 1
            last_indices.append(end - 1)
        if every_output:
            outputs[:end] = 1
        self.struct.n_tokens = end
        return last_indices


def pointer_to(array: np.ndarray[Any, Any], kind: Any) -> Any:
    """Where an array lies, for the library; ``kind`` is the type of its items. Does not keep the array alive."""
    return array.ctypes.data_as(ctypes.POINTER(kind))
