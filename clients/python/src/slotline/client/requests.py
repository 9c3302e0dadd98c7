"""Python values to the messages of ``slotline.v1``. Pure: no connection is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeGuard, cast

from slotline.client import adapters, checks
from slotline.client.images import Part, parts_message
from slotline.client.messages import chat_prompt
from slotline.client.options import GenerateOptions, set_options
from slotline.protocol.collecting import COLLECTED_MS
from slotline.v1 import (
    embedding_pb2,
    generation_pb2,
    lora_pb2,
    prompt_pb2,
    rerank_pb2,
    slot_files_pb2,
    tokenization_pb2,
    tokens_pb2,
)

#: A text, token ids, parts that are texts, pictures and token ids, a conversation of messages as ``Message`` describes
#: them, or a whole request.
Prompt = str | Sequence[int | Part | Mapping[str, object]] | generation_pb2.GenerateRequest
#: What one vector is made of: a text, token ids, a picture, or parts.
EmbedInput = str | prompt_pb2.Image | Sequence[int | Part]
#: What is left out of documents that are too long.
Truncation = Literal["start", "end"]

_TRUNCATIONS = {"start": rerank_pb2.TRUNCATION_START, "end": rerank_pb2.TRUNCATION_END}


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


def whole_request(prompt: Prompt, options: GenerateOptions) -> generation_pb2.GenerateRequest:
    """A request for a continuation that is read at its end; a whole request of the caller's stays as it is.

    Raises:
        TypeError, ValueError: as ``generate_request`` does.
    """
    request = generate_request(prompt, options)
    if request.output.HasField("max_delta_delay_ms"):
        return request
    if request is prompt:
        request = generation_pb2.GenerateRequest()
        request.MergeFrom(prompt)
    request.output.max_delta_delay_ms = COLLECTED_MS
    return request


def tokenize_request(
    prompt: str | Sequence[Mapping[str, object]],
    *,
    add_special: bool = False,
    parse_special: bool = True,
    model: str = "",
) -> tokenization_pb2.TokenizeRequest:
    """A request for the tokens of a text or conversation."""
    request = tokenization_pb2.TokenizeRequest()
    if isinstance(prompt, str):
        request.text = prompt
    else:
        request.chat.CopyFrom(chat_prompt(prompt))
    request.model = model
    request.add_special = add_special
    request.parse_special = parse_special
    return request


def embed_request(
    inputs: Sequence[EmbedInput], *, normalize: bool = True, dimensions: int | None = None, model: str = ""
) -> embedding_pb2.EmbedRequest:
    """A request for the vectors of texts, token ids or parts.

    Raises:
        TypeError: a single text, whose characters would be taken for inputs, or an input of an unknown kind.
        ValueError: dimensions that no request can hold.
    """
    if isinstance(inputs, str):
        raise TypeError("inputs are a list of texts, of token ids or of parts; for one text give a list of one")
    request = embedding_pb2.EmbedRequest(inputs=[_embed_input(f"inputs[{i}]", one) for i, one in enumerate(inputs)])
    request.model = model
    request.normalize = normalize
    if dimensions is not None:
        request.dimensions = checks.integer("dimensions", dimensions, checks.UINT32)
    return request


def vectors_of(response: embedding_pb2.EmbedResponse) -> list[list[float]]:
    """The vector of each input.

    Raises:
        ValueError: each token has one.
    """
    if any(one.token_vectors for one in response.embeddings):
        raise ValueError(
            "each token has a vector, because the server was started with --pooling none; call(EmbedRequest(...)) "
            "answers with their token_vectors"
        )
    return [list(one.values) for one in response.embeddings]


def rerank_request(
    query: str,
    documents: Sequence[str],
    *,
    normalize: bool = False,
    truncation: Truncation | None = None,
    max_document_tokens: int | None = None,
    model: str = "",
) -> rerank_pb2.RerankRequest:
    """A request for the scores of documents.

    Raises:
        TypeError: documents that are no list of texts, or an option of another type.
        ValueError: an option that no request can hold.
    """
    request = rerank_pb2.RerankRequest(
        query=checks.text("query", query), documents=checks.texts("documents", documents), model=model
    )
    request.normalize = normalize
    if truncation is not None:
        if truncation not in _TRUNCATIONS:
            checks.refuse("truncation", truncation, ", ".join(map(repr, _TRUNCATIONS)))
        request.truncation = _TRUNCATIONS[truncation]
    if max_document_tokens is not None:
        request.max_document_tokens = checks.integer("max_document_tokens", max_document_tokens, checks.UINT32)
    return request


def save_slot_request(slot_id: int, filename: str) -> slot_files_pb2.SaveSlotRequest:
    """A request to write what a slot holds to a file.

    Raises:
        TypeError: an argument of another type.
        ValueError: a number that no slot has.
    """
    return slot_files_pb2.SaveSlotRequest(slot_id=_slot_id(slot_id), filename=checks.text("filename", filename))


def restore_slot_request(slot_id: int, filename: str) -> slot_files_pb2.RestoreSlotRequest:
    """A request to let a slot hold what is in a file; raises as ``save_slot_request``."""
    return slot_files_pb2.RestoreSlotRequest(slot_id=_slot_id(slot_id), filename=checks.text("filename", filename))


def erase_slot_request(slot_id: int) -> slot_files_pb2.EraseSlotRequest:
    """A request to forget what a slot holds; raises as ``save_slot_request``."""
    return slot_files_pb2.EraseSlotRequest(slot_id=_slot_id(slot_id))


def _slot_id(value: object) -> int:
    return checks.integer("slot_id", value, checks.UINT32)


def lora_scales_request(scales: Mapping[int, float]) -> lora_pb2.SetLoraScalesRequest:
    """A request to change the scales of adapters.

    Raises:
        TypeError: numbers of adapters, or scales, of another type.
        ValueError: numbers that no adapter has.
    """
    return lora_pb2.SetLoraScalesRequest(scales=adapters.lora_scales("scales", scales))


def check_conversation(messages: Sequence[Mapping[str, object]]) -> None:
    """See whether these are messages.

    Raises:
        TypeError: they are not.
    """
    if not is_conversation(messages):
        raise TypeError(f"messages: {messages!r:.80} is not a list of messages like {{'role': ..., 'content': ...}}")


def is_conversation(prompt: Prompt) -> TypeGuard[Sequence[Mapping[str, object]]]:
    """Whether a prompt is messages."""
    if isinstance(prompt, str | generation_pb2.GenerateRequest):
        return False
    return bool(prompt) and all(isinstance(item, Mapping) for item in prompt)


def _embed_input(where: str, value: EmbedInput) -> embedding_pb2.EmbedInput:
    if isinstance(value, str):
        return embedding_pb2.EmbedInput(text=value)
    if isinstance(value, prompt_pb2.Image):
        return embedding_pb2.EmbedInput(parts=parts_message(where, [value]))
    if isinstance(value, bytes):
        checks.refuse_type(where, value, "a text, token ids, or parts; image(...) makes a picture of bytes")
    if any(isinstance(item, str | prompt_pb2.Image) for item in value):
        return embedding_pb2.EmbedInput(parts=parts_message(where, value))
    return embedding_pb2.EmbedInput(token_ids=tokens_pb2.TokenIds(ids=cast("Sequence[int]", value)))


def _set_prompt(
    request: generation_pb2.GenerateRequest, prompt: str | Sequence[int | Part | Mapping[str, object]]
) -> None:
    if isinstance(prompt, str):
        request.text = prompt
    elif is_conversation(prompt):
        request.chat.CopyFrom(chat_prompt(prompt))
    elif any(isinstance(item, str | prompt_pb2.Image) for item in prompt):
        request.parts.CopyFrom(parts_message("prompt", prompt))
    elif all(isinstance(item, int) for item in prompt) and not isinstance(prompt, bytes):
        request.token_ids.CopyFrom(tokens_pb2.TokenIds(ids=cast("Sequence[int]", prompt)))
    else:
        raise TypeError(f"a prompt is a text, token ids, messages, parts or a GenerateRequest, not {prompt!r:.80}")
