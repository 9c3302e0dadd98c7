"""The options of a completion that hold lists: stop texts, samplers, biases, the penalty prompt.

What the API documents as filtered out (unknown samplers, malformed biases) is filtered here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeGuard

from rest_adapter.apis.common.fields import read_str, refusal
from rest_adapter.json.number_bounds import FLOAT32_MAX, UINT32
from slotline.v1.sampling_pb2 import LogitBias, SamplerType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from slotline.v1.generation_pb2 import GenerateRequest

SAMPLER_NAMES = {
    name.removeprefix("SAMPLER_TYPE_").lower(): number
    for name, number in SamplerType.items()
    if number != SamplerType.SAMPLER_TYPE_UNSPECIFIED
}
#: Of a token id.
_MOST_DIGITS = 10


def read_stop(request: GenerateRequest, name: str, value: object) -> None:
    """Stop texts: a string, or an array of strings. Empty ones are left out."""
    if not isinstance(value, str | list):
        raise refusal(name, value, "a string or an array of strings")
    texts = [value] if isinstance(value, str) else value
    request.stop.texts.extend(
        text for i, text in enumerate(read_str(f"{name}[{i}]", text) for i, text in enumerate(texts)) if text
    )


def read_breakers(request: GenerateRequest, name: str, value: object) -> None:
    """Texts across which DRY sees no repetition: an array of strings."""
    if not isinstance(value, list):
        raise refusal(name, value, "an array of strings")
    # Present although empty: then nothing breaks a repetition.
    request.sampling.dry_sequence_breakers.SetInParent()
    request.sampling.dry_sequence_breakers.texts.extend(read_str(f"{name}[{i}]", text) for i, text in enumerate(value))


def read_samplers(request: GenerateRequest, name: str, value: object) -> None:
    """The sampler chain: names in order. Unknown ones are left out; another value than an array keeps the default."""
    if isinstance(value, list):
        # Present although empty: an empty chain is a choice.
        request.sampling.samplers.SetInParent()
        request.sampling.samplers.samplers.extend(
            SAMPLER_NAMES[item] for item in value if isinstance(item, str) and item in SAMPLER_NAMES
        )


def read_logit_bias(request: GenerateRequest, name: str, value: object) -> None:
    """Biases: an array of [token, bias], or an object of them with the token ids as keys, as in the OpenAI API.

    A token is an id or a text, a bias a number or false for a ban; other entries, and other values, are left out.
    """
    if isinstance(value, list):
        pairs: Iterable[list[object]] = (entry for entry in value if isinstance(entry, list) and len(entry) == 2)
    elif isinstance(value, dict):
        pairs = ([_token(key), bias] for key, bias in value.items())
    else:
        return
    request.sampling.logit_bias.extend(_biases(name, pairs))


def read_penalty_prompt(request: GenerateRequest, name: str, value: object) -> None:
    """What penalties look at instead of the prompt: a text or token ids; anything else is left out."""
    if isinstance(value, str):
        request.sampling.penalty_prompt.text = value
    elif isinstance(value, list):
        # Present although empty: then nothing but the generated tokens counts.
        request.sampling.penalty_prompt.token_ids.SetInParent()
        request.sampling.penalty_prompt.token_ids.ids.extend(item for item in value if _is_id(item))


def mentions_token_ids(request: GenerateRequest) -> bool:
    """Whether the options name tokens by id, so that ``drop_unknown_ids`` has something to look at."""
    return bool(request.sampling.penalty_prompt.token_ids.ids) or any(
        bias.WhichOneof("target") == "token_id" for bias in request.sampling.logit_bias
    )


def drop_unknown_ids(request: GenerateRequest, vocab_size: int) -> None:
    """Leave out biases and penalty tokens that the vocabulary does not have; the API ignores them."""
    sampling = request.sampling
    known = [bias for bias in sampling.logit_bias if bias.WhichOneof("target") == "text" or bias.token_id < vocab_size]
    del sampling.logit_bias[:]
    sampling.logit_bias.extend(known)
    if sampling.penalty_prompt.WhichOneof("source") == "token_ids":
        ids = sampling.penalty_prompt.token_ids.ids
        ids[:] = [token for token in ids if token < vocab_size]


def _biases(name: str, pairs: Iterable[list[object]]) -> Iterator[LogitBias]:
    for token, bias in pairs:
        if bias is False:
            amount = -math.inf
        elif isinstance(bias, int | float) and bias is not True:
            if not -FLOAT32_MAX <= bias <= FLOAT32_MAX:
                raise refusal(name, [token, bias], "a pair of a token and a finite number or false")
            amount = float(bias)
        else:
            continue
        if _is_id(token):
            yield LogitBias(token_id=token, bias=amount)
        elif isinstance(token, str):
            yield LogitBias(text=token, bias=amount)


def _is_id(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and UINT32[0] <= value <= UINT32[1]


def _token(key: str) -> int | str | None:
    """The token that a key means: an id if it is a number, None if no vocabulary is so large."""
    if not (key.isascii() and key.isdigit()):
        return key
    # Compared before the conversion, which Python refuses for thousands of digits.
    digits = key.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MOST_DIGITS else None
