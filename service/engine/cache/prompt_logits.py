"""The logits behind prompts: who sends the same prompt again gets its first token without a step of the model."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.language_model import Logits
    from service.engine.request.items import PromptItem


class PromptLogits:
    """Copies of the logits behind the last tokens of prompts; the least recently used one goes first.

    Args:
        max_prompts: prompts to keep, at least 1; each takes 4 bytes per token of the vocabulary.
    """

    def __init__(self, max_prompts: int) -> None:
        self._max_prompts = max_prompts
        self._rows: OrderedDict[tuple[str, tuple[PromptItem, ...]], Logits] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def keep(self, salt: str, prompt: Sequence[PromptItem], logits: Logits) -> None:
        """Copy the logits behind a prompt, for requests of the same salt."""
        key = (salt, tuple(prompt))
        row = self._rows.pop(key, None)
        if row is None:
            # The memory of the one that goes serves the new one.
            row = self._rows.popitem(last=False)[1] if len(self._rows) >= self._max_prompts else np.empty_like(logits)
        np.copyto(row, logits)
        self._rows[key] = row

    def clear(self) -> None:
        """Forget all."""
        self._rows.clear()

    def find(self, salt: str, prompt: Sequence[PromptItem]) -> Logits | None:
        """A copy of the logits behind a prompt, None if they are not known."""
        key = (salt, tuple(prompt))
        row = self._rows.get(key)
        if row is None:
            return None
        self._rows.move_to_end(key)
        return row.copy()
