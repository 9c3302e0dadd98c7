"""The defaults of sampling that the APIs of OpenAI and Anthropic define; all others are the native ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slotline.v1.generation_pb2 import GenerateRequest


def set_api_defaults(request: GenerateRequest) -> None:
    """Set them, before the options of a body."""
    request.sampling.temperature = 1.0
    request.sampling.top_p = 1.0
