"""Which requests are prepared at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.api.convert.quick import (
    QUICK_BYTES,
    is_quick_detokenization,
    is_quick_embedding,
    is_quick_generation,
    is_quick_tokenization,
)
from service.config import SamplingDefaults
from slotline.v1 import embedding_pb2, generation_pb2, prompt_pb2, sampling_pb2, tokenization_pb2, tokens_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = prompt_pb2.PromptPart(text="a")
PARTS = prompt_pb2.PromptParts(parts=[TEXT])
CHAT = prompt_pb2.ChatPrompt(messages=[prompt_pb2.ChatMessage(role="user", content=[TEXT])])
IDS = tokens_pb2.TokenIds(ids=[1] * 100)
LONG = "a" * QUICK_BYTES


@pytest.mark.parametrize(
    ("fields", "is_quick"),
    [
        ({"text": "a short text"}, True),
        ({"text": "a", "sampling": sampling_pb2.SamplingParams(temperature=0.5)}, True),
        ({"token_ids": IDS}, True),
        ({"text": LONG}, False),
        ({"chat": CHAT}, False),
        ({"parts": PARTS}, False),
        ({"infill": prompt_pb2.InfillPrompt(prefix=PARTS)}, False),
        ({}, False),
        ({"text": "a", "constraint": generation_pb2.Constraint(gbnf='root ::= "a"')}, False),
        ({"text": "a", "system_prompt": prompt_pb2.SystemPrompt(prompt="a")}, False),
        ({"text": "a", "sampling": sampling_pb2.SamplingParams(logit_bias=[sampling_pb2.LogitBias(text="a")])}, False),
    ],
)
def test_generations_from_one_short_text_or_few_ids_are_quick(fields: dict[str, Any], is_quick: bool) -> None:
    assert is_quick_generation(generation_pb2.GenerateRequest(**fields), SamplingDefaults()) is is_quick


@pytest.mark.parametrize(
    ("inputs", "is_quick"),
    [
        ([embedding_pb2.EmbedInput(text="a")], True),
        ([embedding_pb2.EmbedInput(token_ids=IDS)], True),
        ([embedding_pb2.EmbedInput(text="a")] * 2, False),
        ([embedding_pb2.EmbedInput(parts=PARTS)], False),
        ([embedding_pb2.EmbedInput(text=LONG)], False),
        ([], False),
    ],
)
def test_embeddings_of_one_short_text_are_quick(inputs: list[embedding_pb2.EmbedInput], is_quick: bool) -> None:
    assert is_quick_embedding(embedding_pb2.EmbedRequest(inputs=inputs)) is is_quick


@pytest.mark.parametrize(
    ("check", "request_", "is_quick"),
    [
        (is_quick_tokenization, tokenization_pb2.TokenizeRequest(text="a"), True),
        (is_quick_tokenization, tokenization_pb2.TokenizeRequest(text=LONG), False),
        (is_quick_tokenization, tokenization_pb2.TokenizeRequest(chat=CHAT), False),
        (is_quick_tokenization, tokenization_pb2.TokenizeRequest(parts=PARTS), False),
        (is_quick_detokenization, tokenization_pb2.DetokenizeRequest(ids=[1] * 100), True),
        (is_quick_detokenization, tokenization_pb2.DetokenizeRequest(ids=[1] * QUICK_BYTES), False),
    ],
    ids=["text", "long text", "chat", "parts", "ids", "many ids"],
)
def test_short_texts_and_few_tokens_are_converted_quickly(
    check: Callable[[Any], bool], request_: Any, is_quick: bool
) -> None:
    assert check(request_) is is_quick
