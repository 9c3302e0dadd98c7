"""``GenerationSettings``: what was in force, for final messages, slots and the model's description."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from service.api.convert.lora import scales_message
from service.api.convert.sampling import sampling_params, sampling_settings
from service.engine.request.requests import GenerationRequest
from service.prompts.breakers import NoBreakers
from slotline.v1 import generation_pb2, sampling_pb2

if TYPE_CHECKING:
    from service.api.served_model import ServedModel


def generation_settings(
    request: GenerationRequest, model: ServedModel, *, seed: int | None, n_keep: int, max_tokens: int | None
) -> generation_pb2.GenerationSettings:
    """The settings of a request.

    Args:
        request: what the engine was asked for.
        model: the model it runs on.
        seed: the seed that was used, None before there is one.
        n_keep: resolved.
        max_tokens: the limit in force, None for none.
    """
    sampling = request.sampling
    return generation_pb2.GenerationSettings(
        sampling=sampling_params(sampling, seed),
        penalty_prompt_token_ids=sampling.penalty_prompt or (),
        logit_bias=_biases(request, model),
        max_tokens=max_tokens,
        n_keep=n_keep,
        n_ctx=model.engine.n_ctx_slot,
        stop_texts=[text.decode() for text in request.stop_texts],
        n_probs=sampling.n_probs,
        grammar=request.guide.gbnf if request.guide is not None else "",
        cache_prompt=request.cache_prompt,
        lora=None if request.adapter_scales is None else scales_message(request.adapter_scales),
    )


def _biases(request: GenerationRequest, model: ServedModel) -> dict[int, float]:
    """The biases in force. ``ignore_eos`` shows as a ban of the end-of-sequence token, as clients expect it."""
    biases = dict(request.sampling.logit_bias)
    eos_token = model.vocabulary.eos_token
    if request.sampling.ignore_eos and eos_token is not None:
        biases.setdefault(eos_token, -math.inf)
    return biases


def default_settings(
    model: ServedModel, defaults: sampling_pb2.SamplingParams | None = None
) -> generation_pb2.GenerationSettings:
    """The settings of a request that gives none; its seed is absent if each such request draws its own.

    Args:
        model: the model it would run on.
        defaults: of the caller; see ``GenerateRequest.sampling_defaults``.

    Raises:
        InvalidArgument: one of ``defaults`` is not allowed.
    """
    shown = replace(model, breakers=NoBreakers(model.vocabulary))
    sampling = sampling_settings(sampling_pb2.SamplingParams(), generation_pb2.OutputOptions(), shown, defaults)
    request = GenerationRequest(prompt=(), sampling=sampling, cache_prompt=model.cache_prompt)
    return generation_settings(request, model, seed=sampling.seed, n_keep=0, max_tokens=model.engine.usual_max_tokens)
