"""Which requests are prepared in less time than it takes to hand them to a thread, and so need none.

Measured for llama.cpp's tokenizer: 36 bytes take 0.05 ms, a kilobyte of text takes 0.3 to 0.9 ms. A kilobyte of many
small texts takes 8 ms, for each is tokenised by a call of its own, and one of a grammar 3 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.config import SamplingDefaults
    from slotline.v1 import embedding_pb2, generation_pb2, tokenization_pb2

#: Requests of up to this many bytes with one text, or with token ids, take less than a millisecond in their worst form.
QUICK_BYTES = 1024


def is_quick_generation(request: generation_pb2.GenerateRequest, defaults: SamplingDefaults) -> bool:
    """Whether ``generation_request`` is quick, on a server with such defaults."""
    return (
        request.WhichOneof("prompt") in ("text", "token_ids")
        and request.ByteSize() <= QUICK_BYTES
        and not request.sampling.logit_bias
        and not request.sampling.dry_multiplier
        and not request.sampling_defaults.dry_multiplier
        and not defaults.options.get("dry_multiplier")
        and not request.HasField("constraint")
        and not request.HasField("system_prompt")
    )


def is_constrained(request: generation_pb2.GenerateRequest) -> bool:
    """Whether ``generation_request`` compiles a constraint, which may take seconds."""
    return request.HasField("constraint") or bool(request.chat.tools_json)


def is_quick_embedding(request: embedding_pb2.EmbedRequest) -> bool:
    """Whether ``embedding_request`` is quick, and ``embed_response`` then."""
    return (
        len(request.inputs) == 1
        and request.inputs[0].WhichOneof("content") in ("text", "token_ids")
        and request.ByteSize() <= QUICK_BYTES
    )


def is_quick_tokenization(request: tokenization_pb2.TokenizeRequest) -> bool:
    """Whether ``tokenize_response`` is quick."""
    return request.WhichOneof("input") == "text" and request.ByteSize() <= QUICK_BYTES


def is_quick_detokenization(request: tokenization_pb2.DetokenizeRequest) -> bool:
    """Whether ``detokenize_response`` is quick."""
    return request.ByteSize() <= QUICK_BYTES
