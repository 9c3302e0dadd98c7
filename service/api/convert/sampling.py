"""``SamplingParams`` to ``SamplingSettings`` and back."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

from service.api.convert.checks import at_most, count_at_most, size_at_most, within
from service.errors import InvalidArgument
from service.prompts.prompt import check_ids
from service.sampling.settings import DEFAULT_BREAKERS, SamplerName, SamplingSettings
from slotline.options import BY_PATH, Range, max_bytes, max_items, maximum
from slotline.v1 import generation_pb2, sampling_pb2, tokens_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from service.api.served_model import ServedModel

#: Options that are one number or switch, and have a default, by their fields.
_SCALARS = {
    facts.field: facts
    for path, facts in BY_PATH.items()
    if path.startswith("sampling.") and facts.is_scalar and facts.default is not None
}
_SAMPLERS = {
    number: SamplerName(name.removeprefix("SAMPLER_TYPE_").lower())
    for name, number in sampling_pb2.SamplerType.items()
    if number != sampling_pb2.SAMPLER_TYPE_UNSPECIFIED
}
_SAMPLER_TYPES = {name: number for number, name in _SAMPLERS.items()}


def sampling_settings(
    params: sampling_pb2.SamplingParams,
    output: generation_pb2.OutputOptions,
    model: ServedModel,
    defaults: sampling_pb2.SamplingParams | None = None,
) -> SamplingSettings:
    """The settings that a request asks for, checked and with every default filled in.

    Tokenises the texts of biases and of the penalty prompt.

    Args:
        params: what the request says.
        output: what it says about its output.
        model: knows what the server was started with, which counts next.
        defaults: of the caller, which count then.

    Raises:
        InvalidArgument: a value is not allowed; the field path begins with ``sampling.``, ``sampling_defaults.`` or
            ``output.``.
    """
    n_vocab = model.vocabulary.n_vocab
    scalars = _scalars(params, model, defaults)
    return SamplingSettings(
        **scalars,
        **_breakers(params, model, is_on=bool(scalars["dry_multiplier"])),
        penalty_prompt=_penalty_prompt(params, model),
        seed=params.seed if params.HasField("seed") else model.sampling.seed,
        logit_bias=_logit_bias(params.logit_bias, model),
        samplers=_samplers(params, model),
        n_probs=at_most("output.n_probs", output.n_probs, n_vocab),
        top_logprobs=(
            at_most("output.top_logprobs", output.top_logprobs, min(maximum("top_logprobs"), n_vocab))
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
        seed=seed,
        logit_bias=[sampling_pb2.LogitBias(token_id=token, bias=bias) for token, bias in settings.logit_bias],
        samplers=sampling_pb2.SamplerList(samplers=[_SAMPLER_TYPES[name] for name in settings.chain]),
    )
    for name in _SCALARS:
        setattr(params, name, getattr(settings, name))
    if settings.is_on("dry_multiplier"):
        params.dry_sequence_breakers.texts.extend(settings.dry_sequence_breakers)
    if settings.penalty_prompt is not None:
        params.penalty_prompt.CopyFrom(
            sampling_pb2.PenaltyPrompt(token_ids=tokens_pb2.TokenIds(ids=settings.penalty_prompt))
        )
    return params


_ENDS = ("min", "above", "max")


def _single(value: float) -> float:
    """The nearest float32, which is what a message carries."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded


_ROUNDED: dict[str, Any] = {
    name: _single(facts.default) for name, facts in _SCALARS.items() if isinstance(facts.default, float)
}
#: What is allowed, rounded in the same way: a bound may be sent, whether float32 has it or the next number above.
_ALLOWED = {
    name: Range(**{end: _single(bound) for end in _ENDS if (bound := getattr(facts.allowed, end)) is not None})
    for name, facts in _SCALARS.items()
}
#: The defaults, rounded like values that were sent, so that sending a default changes nothing.
DEFAULTS = SamplingSettings(**_ROUNDED)


def _scalars(params: Message, model: ServedModel, defaults: Message | None) -> dict[str, Any]:
    """The values of all plain options."""
    values = dict(_ROUNDED)
    if defaults is not None:
        _take_scalars(values, defaults, "sampling_defaults")
    for name, value in model.sampling.options.items():
        values[name] = _single(value) if isinstance(value, float) else value
    _take_scalars(values, params, "sampling")
    return values


def _take_scalars(values: dict[str, Any], params: Message, message: str) -> None:
    # One call that lists the few fields that are set, instead of one for each that there is.
    for field, value in params.ListFields():
        facts = _SCALARS.get(field.name)
        if facts is not None:
            is_free = facts.kind == "boolean"
            values[field.name] = value if is_free else within(f"{message}.{field.name}", value, _ALLOWED[field.name])


def _breakers(params: sampling_pb2.SamplingParams, model: ServedModel, *, is_on: bool) -> dict[str, Any]:
    """The texts that break repetitions, and their tokens if anybody looks for repetitions."""
    if not is_on and not params.HasField("dry_sequence_breakers"):
        return {}
    usual = DEFAULT_BREAKERS if model.sampling.dry_sequence_breakers is None else model.sampling.dry_sequence_breakers
    field, texts = "sampling.dry_sequence_breakers.texts", params.dry_sequence_breakers.texts
    count_at_most(field, len(texts), max_items("dry_sequence_breakers"))
    size_at_most(field, sum(len(text.encode()) for text in texts), max_bytes("dry_sequence_breakers"))
    if not is_on:
        return {}
    chosen = tuple(texts) if params.HasField("dry_sequence_breakers") else usual
    return {"dry_sequence_breakers": chosen, "dry_breakers": model.breakers.find(chosen)}


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
    count_at_most("sampling.logit_bias", len(entries), max_items("logit_bias"))
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


def _samplers(params: sampling_pb2.SamplingParams, model: ServedModel) -> tuple[SamplerName, ...] | None:
    if not params.HasField("samplers"):
        usual = model.sampling.samplers
        return None if usual is None else tuple(map(SamplerName, usual))
    chosen = params.samplers.samplers
    count_at_most("sampling.samplers.samplers", len(chosen), model.limits.max_samplers)
    for index, number in enumerate(chosen):
        if number not in _SAMPLERS and number != sampling_pb2.SAMPLER_TYPE_UNSPECIFIED:
            names = ", ".join(sampling_pb2.SamplerType.Name(known) for known in _SAMPLERS)
            raise InvalidArgument(f"sampling.samplers.samplers[{index}]", f"is {number}; allowed are {names}")
    return tuple(_SAMPLERS[number] for number in chosen if number in _SAMPLERS)
