"""Python values to the messages of ``slotline.v1``. Pure: no connection is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard, cast

from slotline.client.messages import chat_prompt
from slotline.client.options import GenerateOptions, set_options
from slotline.v1 import embedding_pb2, generation_pb2, tokenization_pb2, tokens_pb2

#: A text, token ids, a conversation of messages as ``Message`` describes them, or a whole request.
Prompt = str | Sequence[int] | Sequence[Mapping[str, object]] | generation_pb2.GenerateRequest


def generate_request(prompt: Prompt, options: GenerateOptions) -> generation_pb2.GenerateRequest:
    """A request for a continuation.

    Raises:
        TypeError: an option or a prompt of an unknown kind, or options beside a whole request.
        ValueError: an option has a value that no request can hold.
    """
    if isinstance(prompt, generation_pb2.GenerateRequest):
        if options:
            raise TypeError(f"a GenerateRequest is complete; options beside it are not used: {', '.join(options)}")
        return prompt
    request = generation_pb2.GenerateRequest()
    _set_prompt(request, prompt)
    set_options(request, options)
    return request


def tokenize_request(prompt: str | Sequence[Mapping[str, object]]) -> tokenization_pb2.TokenizeRequest:
    """A request for the tokens of a text or conversation."""
    if isinstance(prompt, str):
        return tokenization_pb2.TokenizeRequest(text=prompt)
    return tokenization_pb2.TokenizeRequest(chat=chat_prompt(prompt))


def embed_request(inputs: Sequence[str | Sequence[int]]) -> embedding_pb2.EmbedRequest:
    """A request for the vectors of texts or token ids.

    Raises:
        TypeError: a single text, whose characters would be taken for inputs.
    """
    if isinstance(inputs, str):
        raise TypeError("inputs are a list of texts or of token ids; for one text give a list of one")
    return embedding_pb2.EmbedRequest(
        inputs=[
            embedding_pb2.EmbedInput(text=one)
            if isinstance(one, str)
            else embedding_pb2.EmbedInput(token_ids=tokens_pb2.TokenIds(ids=one))
            for one in inputs
        ]
    )


def is_conversation(prompt: Prompt) -> TypeGuard[Sequence[Mapping[str, object]]]:
    """Whether a prompt is messages."""
    if isinstance(prompt, str | generation_pb2.GenerateRequest):
        return False
    return bool(prompt) and all(isinstance(item, Mapping) for item in prompt)


def _set_prompt(
    request: generation_pb2.GenerateRequest, prompt: str | Sequence[int] | Sequence[Mapping[str, object]]
) -> None:
    if isinstance(prompt, str):
        request.text = prompt
    elif is_conversation(prompt):
        request.chat.CopyFrom(chat_prompt(prompt))
    elif all(isinstance(item, int) for item in prompt):
        request.token_ids.CopyFrom(tokens_pb2.TokenIds(ids=cast("Sequence[int]", prompt)))
    else:
        raise TypeError(f"a prompt is a text, token ids, messages or a GenerateRequest, not {prompt!r:.80}")
