"""The number of answers to each prompt, by its names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_int
from slotline.options import maximum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slotline.v1.generation_pb2 import GenerateRequest

#: The name of llama.cpp's server, which counts if both are given, and OpenAI's.
_NAMES = ("n_cmpl", "n")
MAX_ANSWERS = maximum("n")


def read_n(request: GenerateRequest, body: Mapping[str, object]) -> int:
    """The number of answers to each prompt.

    Raises:
        InvalidRequest: it is not from 1 to ``MAX_ANSWERS``.
    """
    name = next((name for name in _NAMES if body.get(name) is not None), None)
    n_answers = 1 if name is None else read_int(name, body[name], (1, MAX_ANSWERS))
    if n_answers > 1:
        request.num_sequences = n_answers
    return n_answers
