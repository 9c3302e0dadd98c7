"""Options of a generation as people write them: ``temperature=0.3``. Names are those of the REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Never

from service.bounds import INT32_MAX
from slotline.cli.chat.dialogue_options import DIALOGUE_OPTIONS, boolean
from slotline.cli.chat.json_files import file_or_text, parse_json
from slotline.cli.options.suggestions import nearest
from slotline.cli.options.values import Converter, InvalidValue, choice, integer, real, text
from slotline.options import BY_NAME, SEEDS, OptionFacts, max_bytes, sampler_names, usual_samplers


@dataclass(frozen=True, slots=True)
class SamplingOption:
    """One option of a generation.

    Attributes:
        name: key in the body of a request.
        convert: checks a value as it was typed, and gives the one for the body.
        help: what it does, in one sentence, with its special values.
    """

    name: str
    convert: Converter[object]
    help: str


def setting(name: str, value: str) -> tuple[str, object]:
    """``NAME=VALUE`` as name and checked value.

    Raises:
        InvalidValue: there is no such option, or it does not allow the value.
    """
    key, equals, raw = value.partition("=")
    if not equals:
        raise InvalidValue(f"{name} {value!r} has no value; allowed is NAME=VALUE, for example temperature=0.3")
    key = key.strip()
    return key, _option(key, f"{name} {key}").convert(f"{name} {key}", raw)


def convert(name: str, value: str) -> object:
    """The value of an option for the body of a request.

    Raises:
        InvalidValue: there is no such option, or it does not allow the value.
    """
    return option_named(name).convert(name, value)


def option_named(name: str) -> SamplingOption:
    """The option with this name.

    Raises:
        InvalidValue: there is none; the text has the nearest, or all.
    """
    return _option(name, name)


def _option(name: str, shown: str) -> SamplingOption:
    option = SETTINGS.get(name)
    if option is None:
        near = _SYNONYMS.get(name) or nearest(name, SETTINGS)
        hint = f"did you mean {near}?" if near else f"known are {', '.join(SETTINGS)}"
        raise InvalidValue(f"{shown} is no option; {hint}")
    return option


def _samplers(name: str, value: str) -> list[str]:
    """Names with commas or blanks between them; none at all is an empty chain."""
    names = value.replace(",", " ").replace(";", " ").split()
    for one in names:
        if one not in _SAMPLERS:
            raise InvalidValue(f"{name} {one!r} is no sampler; allowed are {', '.join(_SAMPLERS)}")
    return names


def _texts(name: str, value: str) -> list[str]:
    """One text as it is, or several as a JSON array."""
    if not value.lstrip().startswith(("[", '"')):
        return [text(name, value)]
    form = 'a text, or texts as JSON, for example ["\\n", "User:"]'
    parsed = _json(name, value, form)
    texts = [parsed] if isinstance(parsed, str) else parsed
    if not isinstance(texts, list) or not all(isinstance(one, str) and one for one in texts):
        _refuse(name, value, form)
    return texts


def _biases(name: str, value: str) -> object:
    form = 'JSON pairs of a token, as an id or text, and a number or false, for example [["Hello", -2.5], [42, false]]'
    parsed = _json(name, value, form)
    pairs = list(parsed.items()) if isinstance(parsed, dict) else parsed
    if not isinstance(pairs, list) or not all(_is_bias(pair) for pair in pairs):
        _refuse(name, value, form)
    return parsed


def _is_bias(pair: object) -> bool:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        return False
    token, bias = pair
    is_token = isinstance(token, str) or (isinstance(token, int) and not isinstance(token, bool) and token >= 0)
    return is_token and (bias is False or (isinstance(bias, int | float) and bias is not True))


def _penalty_prompt(name: str, value: str) -> object:
    """A text as it is, or token ids as a JSON array."""
    if not value.startswith("["):
        return value
    form = "a text, or token ids as JSON, for example [1, 2, 3]"
    ids = _json(name, value, form)
    if not isinstance(ids, list) or not all(type(one) is int and one >= 0 for one in ids):
        _refuse(name, value, form)
    return ids


def _grammar(name: str, value: str) -> str:
    """A grammar, or the name of its file after an @."""
    return text(name, file_or_text(name, value, max_bytes("grammar")))


def _json(name: str, value: str, form: str) -> object:
    try:
        return parse_json(name, value)
    except InvalidValue:
        _refuse(name, value, form)


def _refuse(name: str, value: str, form: str) -> Never:
    raise InvalidValue(f"{name} {value!r} is not understood; allowed are {form}")


_Convert = Callable[[str, str], object]
# The usual ones first, then those that join them if they are on.
_SAMPLERS = tuple(dict.fromkeys((*usual_samplers(), *sampler_names())))
#: Numbers of no use in a terminal.
_NOT_OFFERED = {"n_probs"}
#: Options that are no single number or switch.
_CONVERTERS: Mapping[str, _Convert] = {
    "seed": integer(-1, SEEDS[1]),
    "stop": _texts,
    "dry_sequence_breakers": _texts,
    "logit_bias": _biases,
    "penalty_prompt": _penalty_prompt,
    "samplers": _samplers,
    "grammar": _grammar,
}
#: How they are written here.
_MORE = {
    "stop": "One text, or several as JSON.",
    "dry_sequence_breakers": "One text, or several as JSON.",
    "penalty_prompt": "Token ids are written as JSON.",
    "samplers": "Commas stand between them.",
    "grammar": "After an @ it is the name of its file.",
    "truncate": "What was left out is told.",
}


def _converter(facts: OptionFacts) -> _Convert:
    """Checks values as they are typed: only those that make sense."""
    if facts.kind == "boolean":
        return boolean
    if facts.choices:
        return choice({str(value): value for value, _ in facts.choices})
    ends = facts.sensible.within(facts.allowed)
    if facts.kind == "number":
        return real(minimum=ends.min, above=ends.above, maximum=ends.max)
    least = facts.unset if facts.unset is not None else ends.min
    return integer(-INT32_MAX if least is None else int(least), INT32_MAX if ends.max is None else int(ends.max))


def _sampling_option(facts: OptionFacts) -> SamplingOption:
    more = _MORE.get(facts.name)
    words = f"{facts.help} {more}" if more else facts.help
    return SamplingOption(facts.name, _CONVERTERS.get(facts.name) or _converter(facts), words)


_OFFERED = [facts for name, facts in BY_NAME.items() if facts.group and name not in _NOT_OFFERED]
SAMPLING_OPTIONS: Mapping[str, SamplingOption] = {
    facts.name: _sampling_option(facts) for facts in sorted(_OFFERED, key=lambda facts: not facts.is_scalar)
}
"""By name, numbers and switches first: what people may set of the body of /completion."""

SETTINGS: Mapping[str, SamplingOption] = {
    **SAMPLING_OPTIONS,
    **{name: SamplingOption(name, convert, help) for name, (convert, help) in DIALOGUE_OPTIONS.items()},
}
"""All that people may set, by name."""

# What other programs call them.
_SYNONYMS = {
    "temp": "temperature",
    "max_tokens": "n_predict",
    "max_completion_tokens": "n_predict",
    "num_predict": "n_predict",
    "timeout": "timeout_s",
    "repetition_penalty": "repeat_penalty",
    "schema": "json_schema",
    "response_format": "json_schema",
    "thinking": "enable_thinking",
}
