"""The options of a generation as properties of bodies: types, bounds and descriptions from ``slotline.options``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.adapter_scales import scales_schema
from rest_adapter.apis.common.candidates import LEAST_UNLIMITED_TOKENS, MAX_CANDIDATES
from rest_adapter.apis.common.constraints import (
    CHOICES,
    GRAMMARS,
    OUTPUT_SWITCHES,
    OUTPUTS,
    REGEXES,
    SCHEMAS,
    WHITESPACE,
)
from rest_adapter.apis.common.extras import PING, PING_BOUNDS, PROGRESS, TIMES
from rest_adapter.apis.common.list_options import SAMPLER_NAMES
from rest_adapter.apis.common.options import OPTIONS
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
from slotline.options import BY_NAME, SEEDS, max_bytes, max_items, maximum, usual_samplers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slotline.options import Kind, OptionFacts

#: By the kind of an option: what its values look like.
_KINDS: Mapping[Kind, Schema] = {"number": float32(), "integer": integer(), "boolean": BOOLEAN, "text": STRING}
#: By the kind: what an absent list or text is like.
_NOTHING: Mapping[Kind, object] = {"texts": [], "biases": [], "text": "", "penalty_prompt": None, "lora_scales": []}

#: A token is an id or a text, a bias a number or false.
_BIAS = either(float32(), {"const": False})
_BIASED_TOKEN = {
    "type": "array",
    "prefixItems": [either(token_id(), STRING), _BIAS],
    "minItems": 2,
    "maxItems": 2,
}
#: Schemas of options for which their kind does not say enough.
_SCHEMAS: Mapping[str, Schema] = {
    "n_probs": integer((INT32[0], maximum("n_probs"))),
    "dry_sequence_breakers": array(STRING, maxItems=max_items("dry_sequence_breakers")),
    "penalty_prompt": either(STRING, array(token_id())),
    "seed": integer(SEEDS),
    "logit_bias": either(array(_BIASED_TOKEN), {"type": "object", "additionalProperties": _BIAS}),
    "samplers": array(STRING | {"enum": list(SAMPLER_NAMES)}, maxItems=max_items("samplers")),
    "stop": either(STRING, array(STRING, maxItems=max_items("stop"))),
    "lora": scales_schema(),
    "cache_salt": STRING | {"maxLength": max_bytes("cache_salt")},
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
}
#: What REST adds to an option's help: values that only JSON has, and what other fields of a body do to it.
_MORE: Mapping[str, str] = {
    "seed": "The lower 32 bits count.",
    "logit_bias": "Pairs of a token, as an id or a text, and a number, or false to ban it; or an object from tokens to "
    "these. Unknown tokens are left out.",
    "penalty_prompt": "A text or token ids.",
    "samplers": "Unknown names are left out.",
    "t_max_predict_ms": "0 and -1 are for no limit.",
    "mirostat": "Any other number is off, too.",
    "n_probs": "At most the size of the vocabulary, and its product with the most tokens, answers and prompts of the "
    f"request at most {MAX_CANDIDATES}. Without a limit on tokens there must be room for {LEAST_UNLIMITED_TOKENS}, and "
    "the answer ends when it is used up.",
    "parse_special": "Those of a chat template always do. True unless the server has --literal-messages, with which "
    "chats refuse true.",
    "cache_prompt": "True unless the server has --no-cache-prompt.",
    "lora": "Objects with the id of an adapter, as of GET /lora-adapters, and its scale; adapters that are not named "
    "get 0. Without any, the scales are those in force for everybody.",
    "system_prompt": "Only with an API key, on a server for its own machine, or on one with --allow-system-prompt.",
    "truncate": "What stays are its first n_keep and its last tokens, and the context is shifted when the answer "
    "reaches its end. Otherwise such a prompt is refused, and the answer ends there.",
    "timeout_s": "The server may have a shorter limit.",
}


def native_options() -> dict[str, Schema]:
    """The options of /completion but for the prompt."""
    return {
        **{one.name: _property(one.name) for one in OPTIONS},
        **_constraints(),
        **_synonyms(),
        **_extras(),
        "stream": option(BOOLEAN, "Answer with server-sent events while the text is made.", default=False),
        "truncate": _property("truncate") | {"default": True},
        "timeout_s": timeout(),
    }


def _constraints() -> dict[str, Schema]:
    choice = array(STRING, minItems=1)
    regex = STRING | {"minLength": 1}
    schema = either({"type": "object"}, STRING)
    outputs: Schema = {
        "type": "object",
        "properties": {
            "choice": nullable(choice),
            "grammar": nullable(STRING),
            "json": nullable(schema),
            "json_object": nullable(BOOLEAN),
            "regex": nullable(regex),
            "structural_tag": NULL,
            WHITESPACE: nullable(STRING),
            **{name: nullable(BOOLEAN) for name in OUTPUT_SWITCHES},
        },
        "additionalProperties": False,
    }
    return {
        **{name: option(STRING, "The same as grammar, of which there may be one.") for name in GRAMMARS},
        **{
            name: option(choice, "Texts of which the answer must be one; not together with grammar.")
            for name in CHOICES
        },
        **{
            name: option(regex, "Regular expression that the whole answer matches; not together with grammar.")
            for name in REGEXES
        },
        **{
            name: option(schema, "JSON Schema that the answer obeys, or its text; {} is any object. Not with grammar.")
            for name in SCHEMAS
        },
        OUTPUTS: option(
            outputs,
            "One constraint: texts to choose from, a grammar, a regular expression, a JSON Schema or its text, or that "
            "it is a JSON object; and how JSON is written.",
        ),
    }


def _synonyms() -> dict[str, Schema]:
    only_one: Schema = {"type": "number", "minimum": 1, "maximum": 1}
    return {
        "min_tokens": option(integer(UINT32), _description("min_tokens"), default=BY_NAME["min_tokens"].default),
        "stop_token_ids": option(array(token_id()), _description("stop_token_ids"), default=[]),
        "include_stop_str_in_output": _property("include_stop_str_in_output"),
        "id_slot": option(integer(), "The same as slot_id, and after it.", default=-1),
        "repetition_penalty": option(only_one, "1 is repeat_penalty 1, unless that is given; others are refused."),
    }


def _extras() -> dict[str, Schema]:
    return {
        PROGRESS: option(
            BOOLEAN,
            "Streams begin with events that have prompt_progress, until the prompt is evaluated.",
            default=False,
        ),
        TIMES: option(BOOLEAN, "Each event of a stream has the times so far, and so has the answer.", default=False),
        PING: option(
            integer(PING_BOUNDS),
            "Seconds of silence after which a stream gets a comment; 0 and -1 are for none. Without it, --sse-ping "
            "decides.",
        ),
    }


def timeout() -> Schema:
    """The time limit that every generation and embedding can have."""
    allowed = BY_NAME["timeout_s"].allowed
    schema: Schema = {"type": "number", "exclusiveMinimum": allowed.above, "maximum": allowed.max}
    return option(schema, _description("timeout_s"))


def _property(name: str) -> Schema:
    facts = BY_NAME[name]
    schema = _SCHEMAS.get(name) or _KINDS[facts.kind]
    if facts.kind == "number":
        # Integers out of their range mean something, numbers are refused.
        allowed = facts.allowed
        ends = {"minimum": allowed.min, "exclusiveMinimum": allowed.above, "maximum": allowed.max}
        schema = schema | {key: end for key, end in ends.items() if end is not None}
    return option(schema, _description(name), **_default(facts))


def _default(facts: OptionFacts) -> dict[str, object]:
    """``default=...`` for ``option``; nothing if absence means what no value says."""
    if facts.kind == "samplers":
        return {"default": list(usual_samplers())}
    if facts.default is not None:
        return {"default": list(facts.default) if isinstance(facts.default, tuple) else facts.default}
    if facts.unset is not None:
        return {"default": facts.unset}
    return {"default": _NOTHING[facts.kind]} if facts.kind in _NOTHING else {}


def _description(name: str) -> str:
    more = _MORE.get(name)
    return f"{BY_NAME[name].help} {more}" if more else BY_NAME[name].help
