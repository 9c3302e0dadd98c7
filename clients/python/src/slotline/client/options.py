"""The options of a generation as keyword arguments, and how they get into a request."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NoReturn, TypedDict

from slotline.options import BY_PATH, OptionFacts
from slotline.options.plain_options import PlainOptions
from slotline.v1 import generation_pb2, prompt_pb2, sampling_pb2, tokens_pb2

_INT32 = (-(2**31), 2**31 - 1)
_UINT32 = (0, 2**32 - 1)
_FLOAT32_MAX = 3.4028234663852886e38
_SAMPLERS = {
    name.removeprefix("SAMPLER_TYPE_").lower(): number
    for name, number in sampling_pb2.SamplerType.items()
    if number != sampling_pb2.SAMPLER_TYPE_UNSPECIFIED
}


#: Where reasoning goes; see ``GenerateOptions``.
ReasoningFormat = Literal["separate", "inline", "both"]
_REASONING_FORMATS = {
    "separate": generation_pb2.REASONING_FORMAT_SEPARATE,
    "inline": generation_pb2.REASONING_FORMAT_INLINE,
    "both": generation_pb2.REASONING_FORMAT_BOTH,
}


class JsonStyle(TypedDict, total=False):
    """How JSON under a constraint is written, and what is made of its schema."""

    #: Regular expression for what may stand between tokens of JSON. Default: at most one blank after "," and ":", and
    #: line breaks with their indentation.
    whitespace_pattern: str
    #: Whether nothing may stand between them. Default False.
    disable_any_whitespace: bool
    #: Whether objects have no other properties than those of their schema, unless it says otherwise. Default False.
    disable_additional_properties: bool
    #: Whether keywords of a schema that cannot be enforced are left out instead of refused. Default False.
    lenient: bool


class GenerateOptions(PlainOptions, total=False):
    """Options of a generation; one that is absent takes the server's default.

    Those of one number, switch or text are in ``PlainOptions``, with their defaults. The server checks ranges, and
    refuses what is out of them with a ``SlotlineError``. There may be one of ``grammar``, ``json_schema``,
    ``json_object``, ``choice``, ``regex`` and ``lark``.
    """

    #: One text or several that end the answer, and are left out of it.
    stop: str | Sequence[str]
    #: Tokens that end the answer, besides the model's own.
    stop_token_ids: Sequence[int]
    #: From tokens, as ids or texts, to what is added to their logits; minus infinity bans a token.
    logit_bias: Mapping[int | str, float]
    #: Names of samplers in their order; none at all samples from the plain softmax.
    samplers: Sequence[str]
    #: A text or token ids that the penalties look at instead of the prompt.
    penalty_prompt: str | Sequence[int]
    #: GBNF, of which the rule named root is the whole answer.
    grammar: str
    #: A JSON Schema that the answer obeys, as an object or as text.
    json_schema: str | Mapping[str, object]
    #: Whether the answer is any JSON object.
    json_object: bool
    #: Texts of which the answer is one.
    choice: Sequence[str]
    #: A regular expression that the whole answer matches.
    regex: str
    #: A grammar in the Lark dialect of llguidance, with a rule named start.
    lark: str
    #: How JSON under ``json_schema`` or ``json_object`` is written.
    json_style: JsonStyle
    #: Whether reasoning, content and tool calls of an answer to messages are told apart. Default False.
    parse_output: bool
    #: Where reasoning goes if they are: apart from the text, into it with its markers, or both. Default ``separate``.
    reasoning_format: ReasoningFormat
    #: Text in front of every prompt of the server; an empty one removes it.
    system_prompt: str
    #: Whether a prompt that does not fit is shortened instead of refused.
    truncate: bool
    #: Name or alias of the model.
    model: str
    #: The caller's id of the request, which is echoed.
    request_id: str
    #: Best-effort extras, never needed for correctness.
    extra: Mapping[str, object]


def set_options(request: generation_pb2.GenerateRequest, options: GenerateOptions) -> None:
    """Set the fields of a request.

    Raises:
        TypeError: an option is unknown, or its value is of a wrong kind.
        ValueError: a value does not fit into its field, is not known, or two constraints exclude each other.
    """
    for name, value in options.items():
        if name in _PLAIN:
            _set_plain(request, _PLAIN[name], value)
        elif name in _SETTERS:
            _SETTERS[name](request, name, value)
        else:
            raise TypeError(f"unknown option {name!r}; known are {', '.join(GenerateOptions.__annotations__)}")


_PLAIN = {facts.field: facts for facts in BY_PATH.values() if facts.field in PlainOptions.__annotations__}


def _set_plain(request: Any, facts: OptionFacts, value: object) -> None:
    *parents, field = facts.path.split(".")
    message = request
    for parent in parents:
        message = getattr(message, parent)
    setattr(message, field, _checked(field, facts, value))


def _checked(name: str, facts: OptionFacts, value: object) -> float | str:
    match facts.kind:
        case "number":
            return _number(name, value)
        case "integer":
            return _integer(name, value, _UINT32 if facts.allowed.min == 0 else _INT32)
        case "boolean":
            return _boolean(name, value)
        case _:
            return _text(name, value)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        _refuse_type(name, value, "a number")
    number = float(value)
    # Others become infinite in a field of 32 bits.
    if math.isfinite(number) and abs(number) > _FLOAT32_MAX:
        _refuse(name, value, f"a number from {-_FLOAT32_MAX:g} to {_FLOAT32_MAX:g}")
    return number


def _integer(name: str, value: object, bounds: tuple[int, int]) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        _refuse_type(name, value, "a whole number")
    number, (low, high) = int(value), bounds
    if not low <= number <= high:
        _refuse(name, value, f"a whole number from {low} to {high}")
    return number


def _boolean(name: str, value: object) -> bool:
    return value if isinstance(value, bool) else _refuse_type(name, value, "True or False")


def _text(name: str, value: object) -> str:
    return value if isinstance(value, str) else _refuse_type(name, value, "a text")


def _texts(name: str, value: object) -> list[str]:
    """Several texts; a single one is not taken for the list of its letters."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        _refuse_type(name, value, "a list of texts")
    return [_text(f"{name}[{i}]", one) for i, one in enumerate(value)]


def _token_ids(name: str, value: object) -> list[int]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        _refuse_type(name, value, "a list of token ids")
    return [_integer(f"{name}[{i}]", one, _UINT32) for i, one in enumerate(value)]


def _set_stop(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    request.stop.texts.extend([value] if isinstance(value, str) else _texts(name, value))


def _set_stop_token_ids(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    request.stop.token_ids.extend(_token_ids(name, value))


def _set_logit_bias(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        _refuse_type(name, value, "a mapping from tokens, as ids or texts, to numbers")
    for token, amount in value.items():
        bias = sampling_pb2.LogitBias(bias=_number(f"{name}[{token!r}]", amount))
        if isinstance(token, str):
            bias.text = token
        else:
            bias.token_id = _integer(f"{name}, token", token, _UINT32)
        request.sampling.logit_bias.append(bias)


def _set_samplers(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    # Present although empty: an empty chain is a choice.
    request.sampling.samplers.SetInParent()
    for i, sampler in enumerate(_texts(name, value)):
        if sampler not in _SAMPLERS:
            _refuse(f"{name}[{i}]", sampler, f"a sampler; known are {', '.join(_SAMPLERS)}")
        request.sampling.samplers.samplers.append(_SAMPLERS[sampler])


def _set_penalty_prompt(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    if isinstance(value, str):
        request.sampling.penalty_prompt.text = value
    else:
        request.sampling.penalty_prompt.token_ids.CopyFrom(tokens_pb2.TokenIds(ids=_token_ids(name, value)))


def _set_grammar(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    _only_constraint(request, name).gbnf = _text(name, value)


def _set_json_schema(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    if not isinstance(value, str | Mapping):
        _refuse_type(name, value, "a JSON Schema as an object or a text")
    try:
        schema = value if isinstance(value, str) else json.dumps(dict(value))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {value!r:.80} has a value that JSON does not know: {error}") from error
    _only_constraint(request, name).json_schema = schema


def _set_json_object(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    if _boolean(name, value):
        _only_constraint(request, name).json_object.SetInParent()


def _set_choice(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    texts = _texts(name, value)
    _only_constraint(request, name).choice.CopyFrom(generation_pb2.Choices(texts=texts))


def _set_regex(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    _only_constraint(request, name).regex = _text(name, value)


def _set_lark(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    _only_constraint(request, name).lark = _text(name, value)


def _set_json_style(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    known = ", ".join(JsonStyle.__annotations__)
    if not isinstance(value, Mapping):
        _refuse_type(name, value, f"a mapping with {known}")
    style = request.constraint.json_style
    style.SetInParent()
    for key, one in value.items():
        if key not in JsonStyle.__annotations__:
            _refuse(name, key, f"one of {known}")
        check = _text if key == "whitespace_pattern" else _boolean
        setattr(style, key, check(f"{name}.{key}", one))


def _set_parse_output(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    request.output.parse_output = _boolean(name, value)


def _set_reasoning_format(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    word = _text(name, value)
    if word not in _REASONING_FORMATS:
        _refuse(name, word, f"one of {', '.join(_REASONING_FORMATS)}")
    request.output.reasoning_format = _REASONING_FORMATS[word]


def _only_constraint(request: generation_pb2.GenerateRequest, name: str) -> generation_pb2.Constraint:
    other = request.constraint.WhichOneof("kind")
    if other is not None:
        raise ValueError(f"{name}: there is {_CONSTRAINTS.get(other, other)} already; allowed is one constraint")
    return request.constraint


_CONSTRAINTS = {"gbnf": "grammar"}


def _set_system_prompt(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    request.system_prompt.CopyFrom(prompt_pb2.SystemPrompt(prompt=_text(name, value)))


def _set_truncate(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    truncates = _boolean(name, value)
    request.overflow = generation_pb2.OVERFLOW_TRUNCATE if truncates else generation_pb2.OVERFLOW_REFUSE


def _set_name(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    setattr(request, name, _text(name, value))


def _set_extra(request: generation_pb2.GenerateRequest, name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        _refuse_type(name, value, "a mapping from texts to values that JSON knows")
    try:
        request.extra.update(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {value!r:.80} has a value that JSON does not know: {error}") from error


_SETTERS: Mapping[str, Callable[[generation_pb2.GenerateRequest, str, object], None]] = {
    "stop": _set_stop,
    "stop_token_ids": _set_stop_token_ids,
    "logit_bias": _set_logit_bias,
    "samplers": _set_samplers,
    "penalty_prompt": _set_penalty_prompt,
    "grammar": _set_grammar,
    "json_schema": _set_json_schema,
    "json_object": _set_json_object,
    "choice": _set_choice,
    "regex": _set_regex,
    "lark": _set_lark,
    "json_style": _set_json_style,
    "parse_output": _set_parse_output,
    "reasoning_format": _set_reasoning_format,
    "system_prompt": _set_system_prompt,
    "truncate": _set_truncate,
    "model": _set_name,
    "request_id": _set_name,
    "extra": _set_extra,
}


def _refuse_type(name: str, value: object, allowed: str) -> NoReturn:
    raise TypeError(f"{name}: {value!r:.80} is not {allowed}")


def _refuse(name: str, value: object, allowed: str) -> NoReturn:
    raise ValueError(f"{name}: {value!r:.80} is not {allowed}")
