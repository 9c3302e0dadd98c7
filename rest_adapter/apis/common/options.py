"""The options of a completion: their names, their types, and where they go in a ``GenerateRequest``.

null always means the default, which is the core's: absent options stay absent in the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rest_adapter.apis.common.fields import read_bool, read_float, read_int, read_list, read_object, read_str, refusal
from rest_adapter.apis.common.list_options import (
    read_logit_bias,
    read_penalty_prompt,
    read_samplers,
    read_stop,
)
from rest_adapter.errors import InvalidRequest
from rest_adapter.json.number_bounds import INT32
from slotline.v1.generation_pb2 import GenerateRequest

if TYPE_CHECKING:
    from google.protobuf.message import Message

Reader = Callable[[GenerateRequest, str, object], None]
Kind = Literal["number", "integer", "boolean"]

# Seeds come as any 64-bit integer; the sampler takes 32 bits, and all of them set mean random.
SEEDS = (-(2**63), 2**64 - 1)
_RANDOM_SEED = 2**32 - 1
MAX_TIMEOUT_S = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a completion.

    Attributes:
        name: key in the JSON body.
        path: field of ``GenerateRequest`` that it sets; errors of the core name it.
        read: checks a value and sets the field.
        kind: what a value is, if it is nothing but a number or a boolean.
    """

    name: str
    path: str
    read: Reader
    kind: Kind | None = None


def apply_options(request: GenerateRequest, body: Mapping[str, object]) -> None:
    """Set what the options in a JSON body say. Unknown keys are ignored.

    Raises:
        InvalidRequest: an option has a value that is not allowed.
    """
    for option in OPTIONS:
        value = body.get(option.name)
        if value is not None:
            option.read(request, option.name, value)


def read_timeout_s(body: Mapping[str, object]) -> float | None:
    """The option ``timeout_s``: seconds that the whole generation may take, or None."""
    value = body.get("timeout_s")
    if value is None:
        return None
    seconds = read_float("timeout_s", value)
    if not 0 < seconds <= MAX_TIMEOUT_S:
        raise InvalidRequest("timeout_s", f"{seconds} is not above 0 and at most {MAX_TIMEOUT_S:.0f} seconds")
    return seconds


def check_image_data(name: str, value: object) -> None:
    """Check the form only: without a vision projector images are documented to be ignored."""
    for i, image in enumerate(read_list(name, value, "objects with data and id")):
        read_object(f"{name}[{i}]", image)


def _float(name: str, path: str) -> Option:
    def read(request: GenerateRequest, name: str, value: object) -> None:
        _set(request, path, read_float(name, value))

    return Option(name, path, read, "number")


def _int(name: str, path: str, convert: Callable[[int], int | None] = lambda number: number) -> Option:
    """An integer; ``convert`` maps values that the API gives a meaning of their own, None to absence."""

    def read(request: GenerateRequest, name: str, value: object) -> None:
        number = convert(read_int(name, value, INT32))
        if number is not None:
            _set(request, path, number)

    return Option(name, path, read, "integer")


def _bool(name: str, path: str) -> Option:
    def read(request: GenerateRequest, name: str, value: object) -> None:
        _set(request, path, read_bool(name, value))

    return Option(name, path, read, "boolean")


def _set(request: GenerateRequest, path: str, value: object) -> None:
    *parents, field = path.split(".")
    message: Message = request
    for parent in parents:
        message = getattr(message, parent)
    setattr(message, field, value)


def _absent_if_negative(number: int) -> int | None:
    return number if number >= 0 else None


def _at_least(least: int) -> Callable[[int], int]:
    return lambda number: max(least, number)


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


def _read_image_data(request: GenerateRequest, name: str, value: object) -> None:
    check_image_data(name, value)


OPTIONS: tuple[Option, ...] = (
    _float("temperature", "sampling.temperature"),
    _float("dynatemp_range", "sampling.dynatemp_range"),
    _float("dynatemp_exponent", "sampling.dynatemp_exponent"),
    _int("top_k", "sampling.top_k"),
    _float("top_p", "sampling.top_p"),
    _float("min_p", "sampling.min_p"),
    _float("tfs_z", "sampling.tfs_z"),
    _float("typical_p", "sampling.typical_p"),
    _int("min_keep", "sampling.min_keep", _at_least(0)),
    _float("repeat_penalty", "sampling.repeat_penalty"),
    _int("repeat_last_n", "sampling.repeat_last_n", _at_least(-1)),
    _float("frequency_penalty", "sampling.frequency_penalty"),
    _float("presence_penalty", "sampling.presence_penalty"),
    _bool("penalize_nl", "sampling.penalize_nl"),
    Option("penalty_prompt", "sampling.penalty_prompt", read_penalty_prompt),
    _int("mirostat", "sampling.mirostat", lambda number: number if number in (1, 2) else 0),
    _float("mirostat_tau", "sampling.mirostat_tau"),
    _float("mirostat_eta", "sampling.mirostat_eta"),
    Option("seed", "sampling.seed", _read_seed),
    _bool("ignore_eos", "sampling.ignore_eos"),
    Option("logit_bias", "sampling.logit_bias", read_logit_bias),
    Option("samplers", "sampling.samplers", read_samplers),
    _int("n_predict", "stop.max_tokens", _absent_if_negative),
    Option("stop", "stop.texts", read_stop),
    _int("n_probs", "output.n_probs", _at_least(0)),
    _int("n_keep", "n_keep", _at_least(-1)),
    _bool("parse_special", "parse_special"),
    _int("slot_id", "cache.slot_id", _absent_if_negative),
    _bool("cache_prompt", "cache.cache_prompt"),
    Option("cache_salt", "cache.cache_salt", _read_cache_salt),
    Option("grammar", "constraint.gbnf", _read_grammar),
    Option("system_prompt", "system_prompt", _read_system_prompt),
    Option("image_data", "", _read_image_data),
)


def json_name(path: str) -> str:
    """The JSON key for a field path in an error of the core, or the path itself if there is none.

    What follows the field in the text, for example an index or a condition, stays.
    """
    # Positions among the parts say nothing about positions in the array that they were made of.
    for parts, name in _NAMES_OF_PARTS.items():
        if path.startswith(parts):
            return name
    for field, name in _NAMES:
        if path == field or path.startswith((f"{field}.", f"{field}[", f"{field} ")):
            return name + path.removeprefix(field)
    return path


_NAMES_OF_PARTS = {"parts": "prompt", "infill.prefix": "input_prefix", "infill.suffix": "input_suffix"}
# A prompt is one of several fields; longer paths come first, because they are looked for in this order.
_NAMES = (
    *((option.path, option.name) for option in OPTIONS if option.path),
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
