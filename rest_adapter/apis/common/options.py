"""The options of a completion: their names, their types, and where they go in a ``GenerateRequest``.

null always means the default, which is the core's: absent options stay absent in the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from rest_adapter.apis.common.adapter_scales import read_own_scales
from rest_adapter.apis.common.field_texts import name_in_body
from rest_adapter.apis.common.fields import read_bool, read_float, read_int, read_str, refusal
from rest_adapter.apis.common.list_options import (
    read_breakers,
    read_logit_bias,
    read_penalty_prompt,
    read_samplers,
    read_stop,
)
from rest_adapter.errors import InvalidRequest
from slotline.options import BY_NAME, SEEDS, Kind, OptionFacts
from slotline.v1.generation_pb2 import GenerateRequest

if TYPE_CHECKING:
    from google.protobuf.message import Message

Reader = Callable[[GenerateRequest, str, object], None]

_RANDOM_SEED = 2**32 - 1
_TIMEOUT_S = BY_NAME["timeout_s"].allowed
#: Options outside ``SamplingParams``, in the order in which mistakes are reported.
_OTHERS = (
    "n_predict",
    "stop",
    "n_indent",
    "t_max_predict_ms",
    "n_probs",
    "n_keep",
    "parse_special",
    "slot_id",
    "cache_prompt",
    "cache_salt",
    "grammar",
    "system_prompt",
    "lora",
)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a completion.

    Attributes:
        name: key in the JSON body.
        path: field of ``GenerateRequest`` that it sets; errors of the core name it.
        read: checks a value and sets the field.
    """

    name: str
    path: str
    read: Reader


def apply_options(request: GenerateRequest, body: Mapping[str, object]) -> None:
    """Set what the options in a JSON body say. Unknown keys are ignored.

    Raises:
        InvalidRequest: an option has a value that is not allowed.
    """
    # Few of the options are in a body, and mistakes are reported in the order of the options.
    given = [(_PLACES[name], value) for name, value in body.items() if value is not None and name in _PLACES]
    for place, value in sorted(given, key=itemgetter(0)):
        option = OPTIONS[place]
        option.read(request, option.name, value)


def read_timeout_s(body: Mapping[str, object]) -> float | None:
    """The option ``timeout_s``: seconds that the whole generation may take, or None."""
    value = body.get("timeout_s")
    if value is None:
        return None
    seconds = read_float("timeout_s", value)
    if seconds not in _TIMEOUT_S:
        allowed = f"above {_TIMEOUT_S.above:g} and at most {_TIMEOUT_S.max:.0f} seconds"
        raise InvalidRequest("timeout_s", f"{seconds} is not {allowed}")
    return seconds


def _option(facts: OptionFacts) -> Option:
    """How an option is read: lists and texts each in a way of their own, numbers and switches by their facts."""
    if facts.name in _READERS:
        return Option(facts.name, facts.path, _READERS[facts.name])

    read_plain: Callable[[str, object], Any] = _bounded(facts) if facts.kind == "number" else _READ_PLAIN[facts.kind]
    is_integer = facts.kind == "integer"
    *parents, field = facts.path.split(".")

    def read(request: GenerateRequest, name: str, value: object) -> None:
        known = read_plain(name, value)
        converted = _meant(facts, known) if is_integer else known
        if converted is not None:
            message: Message = request
            for parent in parents:
                message = getattr(message, parent)
            setattr(message, field, converted)

    return Option(facts.name, facts.path, read)


def _bounded(facts: OptionFacts) -> Callable[[str, object], float]:
    """Reads a number that is at least or at most something, as ``facts`` say."""
    least, most = facts.allowed.min, facts.allowed.max
    if least is None and most is None:
        return read_float
    ends = [f"at least {least:g}"] if least is not None else []
    ends += [f"at most {most:g}"] if most is not None else []

    def read(name: str, value: object) -> float:
        number = read_float(name, value)
        if number not in facts.allowed:
            raise refusal(name, value, f"a number of {' and '.join(ends)}")
        return number

    return read


def _meant(facts: OptionFacts, number: int) -> int | None:
    """What an integer means. One out of range means absence, the lowest value, or off, depending on the option."""
    least = facts.allowed.min
    if least is not None and number < least:
        return None if facts.unset is not None else int(least)
    if facts.choices and facts.off_at is not None and all(number != value for value, _ in facts.choices):
        return int(facts.off_at)
    return number


def _read_seed(request: GenerateRequest, name: str, value: object) -> None:
    seed = read_int(name, value, SEEDS) & 0xFFFFFFFF
    if seed != _RANDOM_SEED:
        request.sampling.seed = seed


def _read_grammar(request: GenerateRequest, name: str, value: object) -> None:
    if grammar := read_str(name, value):
        request.constraint.gbnf = grammar


def _read_cache_salt(request: GenerateRequest, name: str, value: object) -> None:
    request.cache.cache_salt = read_str(name, value)


def _read_system_prompt(request: GenerateRequest, name: str, value: object) -> None:
    if not isinstance(value, str | dict):
        raise refusal(name, value, "a string or an object with prompt, anti_prompt and assistant_name")
    fields = {"prompt": value} if isinstance(value, str) else value
    request.system_prompt.SetInParent()
    for key in ("prompt", "anti_prompt", "assistant_name"):
        text = fields.get(key)
        if text is not None:
            setattr(request.system_prompt, key, read_str(f"{name}.{key}", text))


_READERS: Mapping[str, Reader] = {
    "dry_sequence_breakers": read_breakers,
    "penalty_prompt": read_penalty_prompt,
    "seed": _read_seed,
    "logit_bias": read_logit_bias,
    "samplers": read_samplers,
    "stop": read_stop,
    "cache_salt": _read_cache_salt,
    "grammar": _read_grammar,
    "system_prompt": _read_system_prompt,
    "lora": read_own_scales,
}
_READ_PLAIN: Mapping[Kind, Callable[[str, object], Any]] = {
    "number": read_float,
    "integer": read_int,
    "boolean": read_bool,
}
OPTIONS: tuple[Option, ...] = (
    *(_option(facts) for facts in BY_NAME.values() if facts.path.startswith("sampling.")),
    *(_option(BY_NAME[name]) for name in _OTHERS),
)
_PLACES: Mapping[str, int] = {option.name: place for place, option in enumerate(OPTIONS)}


def json_name(path: str) -> str:
    """The JSON key for a field path in an error of the core, or the path itself if there is none.

    What follows the field in the text, for example an index or a condition, stays.
    """
    # Parts were joined from the array, so their positions are not positions in it.
    for parts, name in _NAMES_OF_PARTS.items():
        if path.startswith(parts):
            return name
    return name_in_body(path, _NAMES) or path


_NAMES_OF_PARTS = {"parts": "prompt", "infill.prefix": "input_prefix", "infill.suffix": "input_suffix"}
#: A prompt is one of several fields; longer paths come first, because they are looked for in this order.
_NAMES = (
    ("lora.scales", "lora"),
    *((option.path, option.name) for option in OPTIONS),
    ("token_ids.ids", "prompt"),
    ("text", "prompt"),
    ("token_ids", "prompt"),
    ("stop.min_tokens", "min_tokens"),
    ("stop.token_ids", "stop_token_ids"),
    ("chat.messages", "messages"),
    ("chat.template_kwargs_json", "chat_template_kwargs"),
    ("chat.add_generation_prompt", "add_generation_prompt"),
    ("chat", "messages"),
    ("num_sequences", "n"),
    ("output.top_logprobs", "top_logprobs"),
    ("constraint.choice.texts", "choice"),
    ("constraint.json_object", "response_format"),
    ("constraint.json_schema", "response_format.json_schema"),
)
