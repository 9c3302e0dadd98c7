"""``SamplingParams`` to ``SamplingSettings`` and back."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

from service.api.convert.checks import above, at_least, at_most, count_at_most, finite, size_at_most
from service.errors import InvalidArgument
from service.prompts.prompt import check_ids
from service.sampling.settings import SamplerName, SamplingSettings
from slotline.v1 import generation_pb2, sampling_pb2, tokens_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from service.api.served_model import ServedModel

MAX_TOP_LOGPROBS = 100
#: Most biases of one request; each is looked at again whenever the settings of a slot are shown.
MAX_LOGIT_BIASES = 1 << 16

_SAMPLERS = {
    sampling_pb2.SAMPLER_TYPE_TOP_K: SamplerName.TOP_K,
    sampling_pb2.SAMPLER_TYPE_TFS_Z: SamplerName.TFS_Z,
    sampling_pb2.SAMPLER_TYPE_TYPICAL_P: SamplerName.TYPICAL_P,
    sampling_pb2.SAMPLER_TYPE_TOP_P: SamplerName.TOP_P,
    sampling_pb2.SAMPLER_TYPE_MIN_P: SamplerName.MIN_P,
    sampling_pb2.SAMPLER_TYPE_TEMPERATURE: SamplerName.TEMPERATURE,
}
_SAMPLER_TYPES = {name: number for number, name in _SAMPLERS.items()}


def sampling_settings(
    params: sampling_pb2.SamplingParams, output: generation_pb2.OutputOptions, model: ServedModel
) -> SamplingSettings:
    """The settings that a request asks for, checked and with every default filled in.

    Tokenises the texts of biases and of the penalty prompt.

    Raises:
        InvalidArgument: a value is not allowed; the field path begins with ``sampling.`` or ``output.``.
    """
    n_vocab = model.vocabulary.n_vocab
    return SamplingSettings(
        temperature=_number(params, "temperature"),
        dynatemp_range=_number(params, "dynatemp_range"),
        dynatemp_exponent=_number(params, "dynatemp_exponent"),
        top_k=params.top_k if params.HasField("top_k") else DEFAULTS.top_k,
        top_p=_number(params, "top_p"),
        min_p=_number(params, "min_p"),
        tfs_z=_number(params, "tfs_z"),
        typical_p=_number(params, "typical_p"),
        min_keep=params.min_keep,
        repeat_penalty=above("sampling.repeat_penalty", _number(params, "repeat_penalty"), 0),
        repeat_last_n=at_least(
            "sampling.repeat_last_n",
            params.repeat_last_n if params.HasField("repeat_last_n") else DEFAULTS.repeat_last_n,
            -1,
        ),
        frequency_penalty=_number(params, "frequency_penalty"),
        presence_penalty=_number(params, "presence_penalty"),
        penalize_nl=params.penalize_nl if params.HasField("penalize_nl") else DEFAULTS.penalize_nl,
        penalty_prompt=_penalty_prompt(params, model),
        mirostat=at_most("sampling.mirostat", params.mirostat, 2),
        mirostat_tau=_number(params, "mirostat_tau"),
        mirostat_eta=_number(params, "mirostat_eta"),
        seed=params.seed if params.HasField("seed") else None,
        ignore_eos=params.ignore_eos,
        logit_bias=_logit_bias(params.logit_bias, model),
        samplers=_samplers(params, model.limits.max_samplers),
        n_probs=at_most("output.n_probs", output.n_probs, n_vocab),
        top_logprobs=(
            at_most("output.top_logprobs", output.top_logprobs, min(MAX_TOP_LOGPROBS, n_vocab))
            if output.HasField("top_logprobs")
            else None
        ),
    )


def sampling_params(settings: SamplingSettings, seed: int | None) -> sampling_pb2.SamplingParams:
    """Settings in force as a message with every field set.

    Args:
        settings: the settings.
        seed: the seed that was used, None before there is one.
    """
    params = sampling_pb2.SamplingParams(
        temperature=settings.temperature,
        dynatemp_range=settings.dynatemp_range,
        dynatemp_exponent=settings.dynatemp_exponent,
        top_k=settings.top_k,
        top_p=settings.top_p,
        min_p=settings.min_p,
        tfs_z=settings.tfs_z,
        typical_p=settings.typical_p,
        min_keep=settings.min_keep,
        repeat_penalty=settings.repeat_penalty,
        repeat_last_n=settings.repeat_last_n,
        frequency_penalty=settings.frequency_penalty,
        presence_penalty=settings.presence_penalty,
        penalize_nl=settings.penalize_nl,
        mirostat=settings.mirostat,
        mirostat_tau=settings.mirostat_tau,
        mirostat_eta=settings.mirostat_eta,
        seed=seed,
        ignore_eos=settings.ignore_eos,
        logit_bias=[sampling_pb2.LogitBias(token_id=token, bias=bias) for token, bias in settings.logit_bias],
        samplers=sampling_pb2.SamplerList(samplers=[_SAMPLER_TYPES[name] for name in settings.samplers]),
    )
    if settings.penalty_prompt is not None:
        params.penalty_prompt.CopyFrom(
            sampling_pb2.PenaltyPrompt(token_ids=tokens_pb2.TokenIds(ids=settings.penalty_prompt))
        )
    return params


def _single(value: float) -> float:
    """The nearest float32, which is what a message carries."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


_FLOATS = (
    "temperature",
    "dynatemp_range",
    "dynatemp_exponent",
    "top_p",
    "min_p",
    "tfs_z",
    "typical_p",
    "repeat_penalty",
    "frequency_penalty",
    "presence_penalty",
    "mirostat_tau",
    "mirostat_eta",
)
_ROUNDED: dict[str, Any] = {name: _single(getattr(SamplingSettings(), name)) for name in _FLOATS}
#: The defaults, rounded like values that were sent, so that sending a default changes nothing.
DEFAULTS = SamplingSettings(**_ROUNDED)


def _number(params: Message, name: str) -> float:
    if not params.HasField(name):
        default: float = getattr(DEFAULTS, name)
        return default
    return finite(f"sampling.{name}", getattr(params, name))


def _penalty_prompt(params: sampling_pb2.SamplingParams, model: ServedModel) -> tuple[int, ...] | None:
    if not params.HasField("penalty_prompt"):
        return None
    size_at_most("sampling.penalty_prompt", params.penalty_prompt.ByteSize(), model.limits.max_prompt_bytes)
    match params.penalty_prompt.WhichOneof("source"):
        case "text":
            return tuple(model.vocabulary.tokenize(params.penalty_prompt.text, parse_special=False))
        case "token_ids":
            ids = params.penalty_prompt.token_ids.ids
            return check_ids(ids, model.vocabulary.n_vocab, "sampling.penalty_prompt.token_ids.ids")
        case _:
            raise InvalidArgument("sampling.penalty_prompt", "is empty; set one of text, token_ids")


def _logit_bias(entries: Sequence[sampling_pb2.LogitBias], model: ServedModel) -> tuple[tuple[int, float], ...]:
    count_at_most("sampling.logit_bias", len(entries), MAX_LOGIT_BIASES)
    n_vocab = model.vocabulary.n_vocab
    biases: dict[int, float] = {}
    for index, entry in enumerate(entries):
        field = f"sampling.logit_bias[{index}]"
        if not (math.isfinite(entry.bias) or entry.bias == -math.inf):
            raise InvalidArgument(
                f"{field}.bias", f"is {entry.bias}; allowed is any finite number, or -inf to ban the token"
            )
        match entry.WhichOneof("target"):
            case "token_id" if entry.token_id >= n_vocab:
                raise InvalidArgument(
                    f"{field}.token_id",
                    f"{entry.token_id} is not a token of this model; allowed are 0 to {n_vocab - 1}",
                )
            case "token_id":
                biases[entry.token_id] = entry.bias
            case "text":
                tokens = model.vocabulary.tokenize(entry.text, parse_special=False)
                biases.update(dict.fromkeys(tokens, entry.bias))
            case _:
                raise InvalidArgument(field, "has no target; set one of token_id, text")
    return tuple(biases.items())


def _samplers(params: sampling_pb2.SamplingParams, most: int) -> tuple[SamplerName, ...]:
    if not params.HasField("samplers"):
        return DEFAULTS.samplers
    chosen = params.samplers.samplers
    count_at_most("sampling.samplers.samplers", len(chosen), most)
    for index, number in enumerate(chosen):
        if number not in _SAMPLERS and number != sampling_pb2.SAMPLER_TYPE_UNSPECIFIED:
            names = ", ".join(sampling_pb2.SamplerType.Name(known) for known in _SAMPLERS)
            raise InvalidArgument(f"sampling.samplers.samplers[{index}]", f"is {number}; allowed are {names}")
    return tuple(_SAMPLERS[number] for number in chosen if number in _SAMPLERS)
