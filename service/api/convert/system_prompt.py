"""The system prompt: from a request or the configuration to the engine, and back for descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.api.convert.checks import size_at_most
from service.config import SystemPromptText
from service.engine.request.requests import SystemPrompt
from service.errors import InvalidArgument
from service.prompts.paced import TooManyTokens
from service.prompts.prompt import bos
from slotline.protocol.reasons import N_CTX, N_PROMPT_TOKENS
from slotline.v1 import prompt_pb2

if TYPE_CHECKING:
    from service.api.served_model import ServedModel

#: Tokens of a slot that a system prompt leaves at least to what follows it.
DIALOGUE_TOKENS = 8
MAX_NAME_BYTES = 1024


def system_prompt(text: SystemPromptText, model: ServedModel) -> SystemPrompt:
    """What the engine is to put in front of every prompt. Tokenises, so it may take a while.

    Raises:
        InvalidArgument: a text is too large, or too little of a slot's context would be left.
    """
    size_at_most("system_prompt.prompt", len(text.text.encode()), model.limits.max_prompt_bytes)
    size_at_most("system_prompt.anti_prompt", len(text.anti_prompt.encode()), MAX_NAME_BYTES)
    size_at_most("system_prompt.assistant_name", len(text.assistant_name.encode()), MAX_NAME_BYTES)
    vocabulary = model.vocabulary
    n_ctx = model.engine.n_ctx_slot
    bounded = model.bounded(n_ctx).vocabulary
    try:
        tokens = bos(vocabulary) + bounded.tokenize(text.text, parse_special=False) if text.text else []
    except TooManyTokens as error:
        raise _too_long(error.n_tokens, n_ctx, "more than ") from None
    if tokens and len(tokens) > n_ctx - DIALOGUE_TOKENS:
        raise _too_long(len(tokens), n_ctx)
    return SystemPrompt(text.text, tuple(tokens), text.anti_prompt, text.assistant_name)


def _too_long(n_tokens: int, n_ctx: int, more: str = "") -> InvalidArgument:
    return InvalidArgument(
        "system_prompt.prompt",
        f"has {more}{n_tokens} tokens; allowed are at most {max(n_ctx - DIALOGUE_TOKENS, 0)}, the {n_ctx} of a slot's "
        f"context less {DIALOGUE_TOKENS} for what follows",
        metadata={N_PROMPT_TOKENS: str(n_tokens), N_CTX: str(n_ctx)},
    )


def system_prompt_text(message: prompt_pb2.SystemPrompt) -> SystemPromptText:
    """What a message says."""
    return SystemPromptText(message.prompt, message.anti_prompt, message.assistant_name)


def system_prompt_message(prompt: SystemPrompt) -> prompt_pb2.SystemPrompt:
    """The system prompt in force."""
    return prompt_pb2.SystemPrompt(
        prompt=prompt.text, anti_prompt=prompt.anti_prompt, assistant_name=prompt.assistant_name
    )
