"""Python values to the messages of ``slotline.v1``. Pure: no connection is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, cast

from slotline.v1 import embedding_pb2, generation_pb2, prompt_pb2, sampling_pb2, tokenization_pb2, tokens_pb2

#: A text, token ids, a conversation of ``{"role": ..., "content": ...}``, or a whole request.
Prompt = str | Sequence[int] | Sequence[Mapping[str, str]] | generation_pb2.GenerateRequest

_SAMPLING = frozenset(field.name for field in sampling_pb2.SamplingParams.DESCRIPTOR.fields) - {"logit_bias"}


class GenerateOptions(TypedDict, total=False):
    """Options of a generation; one that is absent takes the server's default.

    Units, ranges and defaults: the comments of ``SamplingParams``, ``StopParams``, ``OutputOptions`` and
    ``CacheOptions`` in ``slotline/v1``. Three are made simpler here: ``stop`` is one text or several, ``truncate``
    shortens a prompt that does not fit instead of refusing it, and ``system_prompt`` is the text alone; an empty one
    removes the system prompt.
    """

    max_tokens: int
    min_tokens: int
    stop: str | Sequence[str]
    temperature: float
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    tfs_z: float
    repeat_penalty: float
    repeat_last_n: int
    frequency_penalty: float
    presence_penalty: float
    seed: int
    ignore_eos: bool
    logit_bias: Mapping[int, float]
    tokens: bool
    n_probs: int
    top_logprobs: int
    prompt_logprobs: bool
    cache_prompt: bool
    slot_id: int
    cache_salt: str
    num_sequences: int
    system_prompt: str
    n_keep: int
    truncate: bool
    model: str
    request_id: str


def generate_request(prompt: Prompt, options: GenerateOptions) -> generation_pb2.GenerateRequest:
    """A request for a continuation.

    Raises:
        TypeError: an option or a prompt of an unknown kind, or options beside a whole request.
    """
    if isinstance(prompt, generation_pb2.GenerateRequest):
        if options:
            raise TypeError(f"a GenerateRequest is complete; options beside it are not used: {', '.join(options)}")
        return prompt
    request = generation_pb2.GenerateRequest()
    _set_prompt(request, prompt)
    for name, value in options.items():
        _set_option(request, name, value)
    return request


def tokenize_request(prompt: str | Sequence[Mapping[str, str]]) -> tokenization_pb2.TokenizeRequest:
    """A request for the tokens of a text or conversation."""
    if isinstance(prompt, str):
        return tokenization_pb2.TokenizeRequest(text=prompt)
    return tokenization_pb2.TokenizeRequest(chat=_chat(prompt))


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


def _set_prompt(request: generation_pb2.GenerateRequest, prompt: str | Sequence[int | Mapping[str, str]]) -> None:
    if isinstance(prompt, str):
        request.text = prompt
    elif prompt and all(isinstance(item, Mapping) for item in prompt):
        request.chat.CopyFrom(_chat(cast("Sequence[Mapping[str, str]]", prompt)))
    elif all(isinstance(item, int) for item in prompt):
        request.token_ids.CopyFrom(tokens_pb2.TokenIds(ids=cast("Sequence[int]", prompt)))
    else:
        raise TypeError(f"a prompt is a text, token ids, messages or a GenerateRequest, not {prompt!r:.80}")


def _chat(messages: Sequence[Mapping[str, str]]) -> prompt_pb2.ChatPrompt:
    return prompt_pb2.ChatPrompt(
        messages=[
            prompt_pb2.ChatMessage(
                role=message["role"], content=[prompt_pb2.PromptPart(text=message.get("content", ""))]
            )
            for message in messages
        ]
    )


def _set_option(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    match name:
        case "stop":
            texts = [value] if isinstance(value, str) else cast("Sequence[str]", value)
            request.stop.texts.extend(texts)
        case "logit_bias":
            biases = cast("Mapping[int, float]", value)
            request.sampling.logit_bias.extend(
                sampling_pb2.LogitBias(token_id=token, bias=bias) for token, bias in biases.items()
            )
        case "truncate":
            request.overflow = generation_pb2.OVERFLOW_TRUNCATE if value else generation_pb2.OVERFLOW_REFUSE
        case "max_tokens" | "min_tokens":
            setattr(request.stop, name, value)
        case "tokens" | "n_probs" | "top_logprobs" | "prompt_logprobs":
            setattr(request.output, name, value)
        case "cache_prompt" | "slot_id" | "cache_salt":
            setattr(request.cache, name, value)
        case "system_prompt":
            request.system_prompt.CopyFrom(prompt_pb2.SystemPrompt(prompt=cast("str", value)))
        case "num_sequences" | "n_keep" | "model" | "request_id":
            setattr(request, name, value)
        case _ if name in _SAMPLING:
            setattr(request.sampling, name, value)
        case _:
            raise TypeError(f"unknown option {name!r}; known are {', '.join(GenerateOptions.__annotations__)}")
