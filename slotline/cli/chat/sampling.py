"""Options of a generation as people write them: ``temperature=0.3``. Names are those of the REST API."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Never

from slotline.cli.options.suggestions import nearest
from slotline.cli.options.text_file import read_text
from slotline.cli.options.values import Converter, InvalidValue, choice, integer, real, text

SAMPLER_NAMES = ("top_k", "tfs_z", "typical_p", "top_p", "min_p", "temperature")
MAX_SEED = 2**64 - 1
MAX_TIMEOUT_S = 7 * 24 * 3600
MAX_GRAMMAR_BYTES = 64 * 1024
_BOOLEANS = {
    **dict.fromkeys(("true", "on", "yes", "1"), True),
    **dict.fromkeys(("false", "off", "no", "0"), False),
}
# Stands before the name of a file to read a value from.
_FILE = "@"


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
    option = SAMPLING_OPTIONS.get(name)
    if option is None:
        near = _SYNONYMS.get(name) or nearest(name, SAMPLING_OPTIONS)
        hint = f"did you mean {near}?" if near else f"known are {', '.join(SAMPLING_OPTIONS)}"
        raise InvalidValue(f"{shown} is no option; {hint}")
    return option


def _boolean(name: str, value: str) -> bool:
    return choice(_BOOLEANS)(name, value.strip().lower())


def _samplers(name: str, value: str) -> list[str]:
    """Names with commas or blanks between them; none at all is an empty chain."""
    names = value.replace(",", " ").replace(";", " ").split()
    for one in names:
        if one not in SAMPLER_NAMES:
            raise InvalidValue(f"{name} {one!r} is no sampler; allowed are {', '.join(SAMPLER_NAMES)}")
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
    if value.startswith(_FILE):
        return read_text(name, value.removeprefix(_FILE), MAX_GRAMMAR_BYTES)
    return text(name, value)


def _json(name: str, value: str, form: str) -> object:
    def no_constant(constant: str) -> Never:
        raise ValueError(constant)

    try:
        parsed: object = json.loads(value, parse_constant=no_constant)
    except (ValueError, RecursionError):
        _refuse(name, value, form)
    return parsed


def _refuse(name: str, value: str, form: str) -> Never:
    raise InvalidValue(f"{name} {value!r} is not understood; allowed are {form}")


_Row = tuple[str, Callable[[str, str], object], str]
_ROWS: tuple[_Row, ...] = (
    ("n_predict", integer(-1), "Most tokens of an answer; -1 is no limit."),
    ("temperature", real(minimum=0), "How freely words are chosen; 0 always takes the most probable."),
    ("dynatemp_range", real(minimum=0), "How far the temperature may move with the model's certainty; 0 is off."),
    ("dynatemp_exponent", real(minimum=0), "How the temperature follows the certainty."),
    ("top_k", integer(0), "Chooses among so many of the most probable tokens; 0 takes all."),
    ("top_p", real(minimum=0, maximum=1), "Chooses among the best tokens that have this probability together."),
    ("min_p", real(minimum=0, maximum=1), "Leaves out tokens with less than this part of the best one's probability."),
    ("tfs_z", real(minimum=0, maximum=1), "Tail-free sampling; 1 is off."),
    ("typical_p", real(minimum=0, maximum=1), "Locally typical sampling; 1 is off."),
    ("min_keep", integer(0), "Tokens that every sampler leaves at least."),
    ("repeat_penalty", real(above=0), "Makes words that were just used less probable; 1 is off."),
    ("repeat_last_n", integer(-1), "How many tokens back the penalties look; 0 is off, -1 the whole context."),
    ("frequency_penalty", real(), "Makes a word less probable each time it is used; 0 is off."),
    ("presence_penalty", real(), "Makes a word less probable once it is used; 0 is off."),
    ("penalize_nl", _boolean, "Whether penalties also apply to line ends."),
    ("penalty_prompt", _penalty_prompt, "What penalties look at in place of the prompt: a text or token ids."),
    (
        "mirostat",
        choice({"0": 0, "1": 1, "2": 2}),
        "Holds the surprise of a text at a level, by version 1 or 2 of Mirostat; 0 is off.",
    ),
    ("mirostat_tau", real(minimum=0), "Surprise that Mirostat aims at, in bits."),
    ("mirostat_eta", real(minimum=0), "How fast Mirostat adapts."),
    ("seed", integer(-1, MAX_SEED), "Makes answers repeatable; -1 draws a new one each time."),
    ("samplers", _samplers, "The samplers in their order, with commas between them."),
    ("logit_bias", _biases, "Makes tokens more or less probable, or bans them."),
    ("ignore_eos", _boolean, "Never ends an answer before n_predict."),
    ("stop", _texts, "Texts that end an answer and are left out of it."),
    ("grammar", _grammar, "GBNF grammar that answers obey, or its file after an @."),
    ("n_keep", integer(-1), "Tokens of the beginning that stay when the context is full; -1 keeps all."),
    (
        "truncate",
        _boolean,
        "Whether the oldest part of a conversation that does not fit is left out, and told, instead of refused.",
    ),
    ("parse_special", _boolean, "Whether names of control tokens in messages are those tokens, or plain text."),
    ("slot_id", integer(-1), "Slot to use; -1 is any."),
    ("cache_prompt", _boolean, "Whether what an earlier prompt began with is not evaluated again."),
    ("timeout_s", real(above=0, maximum=MAX_TIMEOUT_S), "Seconds that an answer may take in all."),
)

SAMPLING_OPTIONS: Mapping[str, SamplingOption] = {row[0]: SamplingOption(*row) for row in _ROWS}
"""By name. All that a body of /completion can have but for cache_salt, n_probs and images: no use in a terminal."""

# What other programs call them.
_SYNONYMS = {
    "temp": "temperature",
    "max_tokens": "n_predict",
    "max_completion_tokens": "n_predict",
    "num_predict": "n_predict",
    "timeout": "timeout_s",
    "repetition_penalty": "repeat_penalty",
}
