"""What the engine asks of a model. Two implementations obey ``tests/contract``: llama.cpp and the scripted model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from service.sampling.grammar import Grammar

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Facts about a loaded model and its context.

    Attributes:
        n_vocab: tokens in the vocabulary.
        n_cells: KV cells shared by all sequences.
        n_batch: most tokens of one ``decode`` call.
        n_seq_max: sequence ids are 0 to ``n_seq_max - 1``.
        n_ctx_train: context the model was trained with, in tokens.
        eog_tokens: end-of-generation tokens.
        nl_token: the newline token, or -1.
        bos_token: the token that the model wants in front of every prompt, or -1 if it wants none.
        can_shift: whether ``shift`` is possible.
    """

    n_vocab: int
    n_cells: int
    n_batch: int
    n_seq_max: int
    n_ctx_train: int
    eog_tokens: frozenset[int]
    nl_token: int
    bos_token: int
    can_shift: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive tokens of one sequence for one ``decode`` call.

    Attributes:
        seq_id: the sequence.
        position: position of the first token; must be one more than the sequence's highest position so far.
        tokens: token ids; at least one.
        wants_logits: whether the logits after the last token are wanted.
    """

    seq_id: int
    position: int
    tokens: Sequence[int]
    wants_logits: bool


class CacheFull(Exception):
    """``decode`` found no room for the batch in the KV cache. Nothing was changed."""


class DecodeFailed(Exception):
    """``decode`` failed. What the sequences of the batch hold is unknown: remove them."""


class LanguageModel(Protocol):
    """A model with a KV cache of sequences. All methods belong to one thread unless they say otherwise."""

    @property
    def info(self) -> ModelInfo:
        """Facts that never change; any thread."""

    def decode(self, segments: Sequence[Segment]) -> None:
        """Evaluate the segments in one call and append them to their sequences.

        At most ``info.n_batch`` tokens in all; each sequence appears at most once.

        Raises:
            CacheFull: no room; nothing was changed.
            DecodeFailed: anything else; the sequences of the batch must be removed.
        """

    def logits(self, index: int) -> Logits:
        """The logits after segment ``index`` of the last ``decode``: float32, shape (n_vocab,), writable.

        Valid until the next ``decode``. The segment must have had ``wants_logits``.
        """

    def remove(self, seq_id: int, start: int, end: int) -> bool:
        """Remove positions ``start`` to ``end - 1`` of a sequence; ``end`` -1 is open.

        Returns False, having changed nothing, if this model cannot remove a part of a sequence. Removing a whole
        sequence (0, -1) always succeeds.
        """

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Add ``delta`` to the positions ``start`` to ``end - 1``; only if ``info.can_shift``."""

    def position_max(self, seq_id: int) -> int:
        """Highest position of a sequence, or -1 if it is empty."""

    def piece(self, token: int) -> bytes:
        """Bytes of a token, empty for control tokens; any thread."""

    def grammar(self, text: str) -> Grammar:
        """A new grammar, at its beginning; to be closed before the model.

        Args:
            text: GBNF; every model understands ``root ::= "yes" | "no"`` at least.

        Raises:
            GrammarError: the grammar cannot be used.
        """
