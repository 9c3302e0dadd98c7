"""The options of a generation as properties of bodies: names, types and bounds from ``apis``, words here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.candidates import LEAST_UNLIMITED_TOKENS, MAX_CANDIDATES
from rest_adapter.apis.common.constraints import CHOICES, GRAMMARS, OUTPUT_SWITCHES, OUTPUTS, OUTPUTS_NOT_THERE
from rest_adapter.apis.common.list_options import SAMPLER_NAMES
from rest_adapter.apis.common.options import MAX_TIMEOUT_S, OPTIONS, SEEDS, Kind
from rest_adapter.apis.openai.openai_options import set_openai_defaults
from rest_adapter.json.number_bounds import INT32, UINT32
from rest_adapter.openapi.schema_types import (
    BOOLEAN,
    NULL,
    STRING,
    Schema,
    array,
    either,
    float32,
    integer,
    nullable,
    option,
    record,
    token_id,
)
from slotline.v1.generation_pb2 import GenerateRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

# Bounds of the core, which has the last word on them.
MAX_SAMPLERS = 64
MAX_STOP_TEXTS = 128
MAX_CACHE_SALT_BYTES = 128

_KINDS: Mapping[Kind, Schema] = {"number": float32(), "integer": integer(), "boolean": BOOLEAN}

# A token is an id or a text, a bias a number or false.
_BIAS = either(float32(), {"const": False})
_BIASED_TOKEN = {
    "type": "array",
    "prefixItems": [either(token_id(), STRING), _BIAS],
    "minItems": 2,
    "maxItems": 2,
}
# What is not simply of a kind, or narrower than its kind.
_FORMS: Mapping[str, Schema] = {
    "n_probs": integer((INT32[0], MAX_CANDIDATES)),
    "repeat_penalty": float32() | {"exclusiveMinimum": 0},
    "penalty_prompt": either(STRING, array(token_id())),
    "seed": integer(SEEDS),
    "logit_bias": either(array(_BIASED_TOKEN), {"type": "object", "additionalProperties": _BIAS}),
    "samplers": array(STRING | {"enum": list(SAMPLER_NAMES)}, maxItems=MAX_SAMPLERS),
    "stop": either(STRING, array(STRING, maxItems=MAX_STOP_TEXTS)),
    "cache_salt": STRING | {"maxLength": MAX_CACHE_SALT_BYTES},
    "grammar": STRING,
    "system_prompt": either(
        STRING,
        record(
            {
                "prompt": option(STRING, "Text in front of every prompt; empty takes it away."),
                "anti_prompt": option(STRING, "Name of the user; only shown, as user_name of /props."),
                "assistant_name": option(STRING, "Name of the assistant; only shown, by /props."),
            },
            optional=("prompt", "anti_prompt", "assistant_name"),
        ),
    ),
    "image_data": array({"type": "object"}),
}
_NONE = object()
# Default and words; defaults that follow from others have words only.
_ABOUT: Mapping[str, tuple[object, str]] = {
    "temperature": (0.8, "Divides the logits; 0 or less always takes the most probable token."),
    "dynatemp_range": (0.0, "Half-width of the range of a temperature that follows the entropy; 0 or less is off."),
    "dynatemp_exponent": (1.0, "Exponent of the temperature that follows the entropy."),
    "top_k": (40, "Keeps so many of the most probable tokens; 0 or less keeps all."),
    "top_p": (0.95, "Keeps the most probable tokens that have this probability together; 1 or more is off."),
    "min_p": (0.05, "Keeps tokens with this part of the best one's probability; 0 or less is off."),
    "tfs_z": (1.0, "Tail-free sampling; 1 or more is off."),
    "typical_p": (1.0, "Locally typical sampling; 1 or more is off."),
    "min_keep": (0, "Tokens that each sampler which leaves some out keeps at least; less than 1 acts as 1."),
    "repeat_penalty": (1.1, "Makes tokens less probable that are in the penalty window; 1 is off."),
    "repeat_last_n": (64, "Length of the penalty window in tokens; 0 is off, less is the slot's whole context."),
    "frequency_penalty": (0.0, "Taken from a token's logit for each time that it is in the penalty window."),
    "presence_penalty": (0.0, "Taken from a token's logit if it is in the penalty window."),
    "penalize_nl": (True, "Whether the penalties also apply to the newline token."),
    "penalty_prompt": (None, "A text or token ids that the penalties look at instead of the prompt."),
    "mirostat": (0, "Mirostat sampling of version 1 or 2; any other number is off."),
    "mirostat_tau": (5.0, "Surprise that Mirostat aims at, in bits."),
    "mirostat_eta": (0.1, "Learning rate of Mirostat."),
    "seed": (-1, "Seed of the random numbers, of which the lower 32 bits count; -1 draws a new one."),
    "ignore_eos": (False, "Never end at an end-of-generation token."),
    "logit_bias": (
        [],
        "Added to the logits of tokens: pairs of a token, as an id or a text, and a number, or false to ban it; "
        "or an object from tokens to these. Unknown tokens are left out.",
    ),
    "samplers": (list(SAMPLER_NAMES), "The samplers in their order; unknown names are left out."),
    "n_predict": (-1, "Most tokens to generate; negative is no limit, 0 evaluates the prompt only."),
    "stop": ([], "Texts that end the generation and are left out of it."),
    "n_probs": (
        0,
        "Tells so many of the most probable tokens at each position; at most the size of the vocabulary, and its "
        f"product with the most tokens, answers and prompts of the request at most {MAX_CANDIDATES}. Without a limit "
        f"on tokens there must be room for {LEAST_UNLIMITED_TOKENS}, and the answer ends when it is used up.",
    ),
    "n_keep": (0, "Tokens of the prompt that stay if truncate shortens it or shifts the context; negative keeps all."),
    "parse_special": (
        _NONE,
        "Whether names of special tokens in the prompt, or in messages and roles, become these tokens; those of a chat "
        "template always do. True unless the server has --literal-messages, with which chats refuse true.",
    ),
    "slot_id": (-1, "Slot to use if it is free; negative is any."),
    "cache_prompt": (
        _NONE,
        "Evaluate only what no earlier prompt began with; true unless the server has --no-cache-prompt.",
    ),
    "cache_salt": (
        "",
        "Shares caches only with requests of the same salt, and with API keys of the same key; at most 128 bytes.",
    ),
    "grammar": ("", "GBNF grammar with a rule named root that the text must obey, at most 64 KiB."),
    "system_prompt": (
        _NONE,
        "New system prompt of all slots, for this and later requests; only while all slots are idle, and only with an "
        "API key, on a server for its own machine, or on one with --allow-system-prompt.",
    ),
    "image_data": ([], "Ignored: no model with a vision projector can be served."),
}


def native_options() -> dict[str, Schema]:
    """The options of /completion but for the prompt."""
    return {
        **{one.name: _property(one.name, one.kind) for one in OPTIONS},
        **_constraints(),
        **_synonyms(),
        "stream": option(BOOLEAN, "Answer with server-sent events while the text is made.", default=False),
        "truncate": option(
            BOOLEAN,
            "Shorten a prompt that does not fit to its first n_keep and its last tokens, and shift the context when "
            "the answer reaches its end. Otherwise such a prompt is refused, and the answer ends there.",
            default=True,
        ),
        "timeout_s": timeout(),
    }


def openai_native_options() -> dict[str, Schema]:
    """The same options as the OpenAI routes take them, with the defaults that the OpenAI API defines."""
    options = native_options()
    defaults = GenerateRequest()
    set_openai_defaults(defaults)
    for one in OPTIONS:
        if one.path and _is_set(defaults, one.path):
            options[one.name] |= {"default": _value(defaults, one.path)}
    words = f"{options['truncate']['description']} False unless the server has --openai-overflow truncate."
    options["truncate"] = option(BOOLEAN, words)
    return options


def _constraints() -> dict[str, Schema]:
    choice = array(STRING, minItems=1)
    outputs: Schema = {
        "type": "object",
        "properties": {
            "choice": nullable(choice),
            "grammar": nullable(STRING),
            "json_object": nullable(BOOLEAN),
            **dict.fromkeys(OUTPUTS_NOT_THERE, NULL),
            **{name: nullable({"enum": [False]}) for name in OUTPUT_SWITCHES},
        },
        "additionalProperties": False,
    }
    return {
        **{name: option(STRING, "The same as grammar, of which there may be one.") for name in GRAMMARS},
        **{
            name: option(choice, "Texts of which the answer must be one; not together with grammar.")
            for name in CHOICES
        },
        OUTPUTS: option(outputs, "One constraint: texts to choose from, a GBNF grammar, or that it is a JSON object."),
    }


def _synonyms() -> dict[str, Schema]:
    only_one: Schema = {"type": "number", "minimum": 1, "maximum": 1}
    return {
        "min_tokens": option(integer(UINT32), "Tokens before an end-of-generation token may be chosen.", default=0),
        "stop_token_ids": option(array(token_id()), "Tokens that end the text, besides the model's own.", default=[]),
        "include_stop_str_in_output": option(BOOLEAN, "Leave the stop text that was found in the text.", default=False),
        "id_slot": option(integer(), "The same as slot_id, and after it.", default=-1),
        "repetition_penalty": option(only_one, "1 is repeat_penalty 1, unless that is given; others are refused."),
    }


def timeout() -> Schema:
    """The time limit that every generation and embedding can have."""
    form: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_TIMEOUT_S}
    return option(
        form, "Seconds that the whole answer may take, the queue included; the server may have a shorter limit."
    )


def _property(name: str, kind: Kind | None) -> Schema:
    form = _FORMS[name] if kind is None or name in _FORMS else _KINDS[kind]
    default, words = _ABOUT[name]
    return option(form, words) if default is _NONE else option(form, words, default=default)


def _value(message: Message, path: str) -> object:
    value: object = message
    for field in path.split("."):
        value = getattr(value, field)
    return value


def _is_set(message: Message, path: str) -> bool:
    *parents, field = path.split(".")
    for parent in parents:
        if not message.HasField(parent):
            return False
        message = getattr(message, parent)
    # Lists have no presence, and no default of their own here.
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    return descriptor.has_presence and message.HasField(field)
