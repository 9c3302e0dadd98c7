"""The request bodies of all routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.embedding import MAX_INPUTS, RAW, UNIT_LENGTH
from rest_adapter.apis.common.prompt import MAX_PROMPTS
from rest_adapter.apis.common.unsupported import (
    CHAT,
    EMBEDDING,
    INFILL,
    NATIVE,
    NATIVE_EMBEDDING,
    TEXT,
    TOKENIZING,
)
from rest_adapter.apis.openai.chat.request import MAX_TOP_LOGPROBS, SPEAKERS_WITH_TEXT
from rest_adapter.apis.openai.completions.request import DEFAULT_MAX_TOKENS, MAX_LOGPROBS, MAX_PROMPT_LOGPROBS
from rest_adapter.apis.openai.embeddings.request import UNNAMED_MODEL as UNNAMED_EMBEDDING_MODEL
from rest_adapter.apis.openai.openai_options import MAX_CHOICES
from rest_adapter.json.number_bounds import UINT32
from rest_adapter.openapi.options import native_options, openai_native_options, timeout
from rest_adapter.openapi.schema_types import (
    BOOLEAN,
    NULL,
    STRING,
    Schema,
    array,
    either,
    integer,
    nullable,
    option,
    record,
    token_id,
)
from rest_adapter.openapi.unsupported import unsupported
from slotline.options import max_items

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKENS = array(token_id())
_TEXT_OR_TOKEN = either(STRING, token_id())
_MIXED = array(_TEXT_OR_TOKEN)
# Inside a list of prompts, several strings without a token id would be several prompts again.
_INNER = array(_TEXT_OR_TOKEN) | {"anyOf": [{"contains": {"type": "integer"}}, {"maxItems": 1}]}
_EMPTY_LIST = array({}, maxItems=0)
_NOT_SUPPORTED = "Not supported: refused unless it is empty."


def completion_body() -> Schema:
    """POST /completion."""
    return _body(
        {
            "prompt": _prompts("What to continue", MAX_PROMPTS),
            **_native_limits(),
            **native_options(),
            **unsupported(NATIVE),
        }
    )


def infill_body() -> Schema:
    """POST /infill."""
    sides = either(STRING, _MIXED)
    return _body(
        {
            "input_prefix": option(sides, "What comes before the gap: a text, or texts and token ids.", default=""),
            "input_suffix": option(sides, "What comes after the gap: a text, or texts and token ids.", default=""),
            "prompt": option(sides, "Not used, only repeated in the answer.", default=""),
            **_native_limits(),
            **native_options(),
            **unsupported(INFILL),
        }
    )


def chat_body() -> Schema:
    """POST /v1/chat/completions."""
    options = openai_native_options()
    # The template's messages take the place of the system prompt of all slots.
    del options["system_prompt"]
    options["penalty_prompt"] |= {"default": []}
    # One more is added for models that do not know the end of their turn.
    options["stop"] |= nullable(either(STRING, array(STRING, maxItems=max_items("stop") - 1)))
    return _body(
        {
            "messages": array(_message(), minItems=1) | {"description": "The conversation so far."},
            **_openai_options(),
            "continue_final_message": option(
                BOOLEAN,
                "Go on with the last message, which must be the assistant's, have text, and call no tools. The answer "
                "is what is added; penalties count the text before it, limits, grammars and stop texts do not.",
                default=False,
            ),
            "max_completion_tokens": option(integer(), "The same as max_tokens, and before it."),
            "max_tokens": option(integer(), "Most tokens of an answer; negative or absent is no limit."),
            "logprobs": option(BOOLEAN, "Tell the log-probability of each token.", default=False),
            "top_logprobs": option(
                integer((0, MAX_TOP_LOGPROBS)),
                "Tell so many of the most probable tokens at each position; above 0 only with logprobs.",
                default=0,
            ),
            "add_generation_prompt": option(
                BOOLEAN, "Begin a turn of the assistant; not together with continue_final_message.", default=True
            ),
            "chat_template_kwargs": option({"type": "object"}, "Further variables for the model's template."),
            **options,
            **unsupported(CHAT),
        },
        required=("messages",),
    )


def text_completion_body() -> Schema:
    """POST /v1/completions."""
    choices = integer((1, MAX_CHOICES))
    return _body(
        {
            "prompt": _prompts("What to continue", MAX_PROMPTS),
            "suffix": option(STRING, "What comes after the text to be made; for models that can fill gaps."),
            **_openai_options(),
            "best_of": option(choices, "As many as n: all answers that are made are given."),
            "echo": option(
                BOOLEAN,
                "Begin each answer with its prompt. With logprobs the lists begin with the prompt's tokens, of which "
                f"the first has none; logprobs is {MAX_PROMPT_LOGPROBS} at most then, and suffix is not allowed.",
                default=False,
            ),
            "max_completion_tokens": option(integer(), "The same as max_tokens, and before it."),
            "max_tokens": option(
                integer(),
                "Most tokens of an answer; negative is no limit. Without it n_predict counts if it is given.",
                default=DEFAULT_MAX_TOKENS,
            ),
            "logprobs": option(
                either(integer((0, MAX_LOGPROBS)), {"const": False}),
                "Tell the log-probability of each token, and so many of the most probable tokens at its position.",
            ),
            "prompt_logprobs": option(
                either(integer((0, MAX_PROMPT_LOGPROBS)), {"const": False}),
                "Tell the log-probability of each token of the prompt, and so many of the most probable tokens at its "
                "place, beside each answer; not in streams, and as many as logprobs if both are given.",
            ),
            "messages": option(_EMPTY_LIST, "For /v1/chat/completions only: refused unless it is empty."),
            "top_logprobs": option(integer((0, 0)), "For /v1/chat/completions only: refused unless it is 0."),
            **openai_native_options(),
            **unsupported(TEXT),
        }
    )


def embedding_body() -> Schema:
    """POST /embedding."""
    options = native_options()
    forms = _without_default(_prompts("What to embed", MAX_INPUTS))
    return _inputs_body(
        {
            "content": forms,
            "input": forms | {"description": "The same as content."},
            "image_data": options["image_data"],
            **_embedding_options(),
            **unsupported(NATIVE_EMBEDDING),
        }
    )


def openai_embedding_body() -> Schema:
    """POST /v1/embeddings."""
    one = either(STRING, _TOKENS)
    inputs = either(STRING, array(token_id(), minItems=1), array(one, minItems=1, maxItems=MAX_INPUTS))
    return _inputs_body(
        {
            "input": inputs | {"description": "What to embed: a text, token ids, or several of these."},
            "content": inputs | {"description": "The same as input."},
            "model": option(STRING, "Repeated in the answer; any name will do.", default=UNNAMED_EMBEDDING_MODEL),
            "encoding_format": option(
                {"enum": ["float", "base64"]},
                "Vectors as arrays, or as base64 of little-endian float32.",
                default="float",
            ),
            **_embedding_options(),
            **unsupported(EMBEDDING),
        }
    )


def tokenize_body() -> Schema:
    """POST /tokenize."""
    content = option(either(STRING, _MIXED), "A text, or texts and token ids in order.", default="")
    return _body(
        {
            "content": content,
            "add_special": option(BOOLEAN, "Put the tokens in front that the model wants there.", default=False),
            "parse_special": option(BOOLEAN, "Make tokens of the names of special tokens.", default=True),
            **unsupported(TOKENIZING),
        }
    )


def detokenize_body() -> Schema:
    """POST /detokenize."""
    return _body({"tokens": option(_TOKENS, "Token ids.", default=[])})


def _body(properties: dict[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    return record(properties, optional=[name for name in properties if name not in required])


def _without_default(form: Schema) -> Schema:
    """The same, but neither missing nor null."""
    kept = {key: value for key, value in form.items() if key != "default"}
    return kept | {"anyOf": [one for one in form["anyOf"] if one != NULL]}


def _inputs_body(properties: dict[str, Schema]) -> Schema:
    """A body that has one of two fields."""
    return _body(properties) | {"oneOf": [{"required": ["content"]}, {"required": ["input"]}]}


def _native_limits() -> dict[str, Schema]:
    return {
        name: option(integer(), "The same as n_predict, which comes first.")
        for name in ("max_tokens", "max_completion_tokens")
    }


def _prompts(what: str, most: int) -> Schema:
    forms = either(STRING, _MIXED, array(either(STRING, _INNER), maxItems=most))
    words = (
        f"{what}: a text, or an array. An array with a number in it is one prompt of texts and token ids, any other "
        f"array of several elements is as many prompts, at most {most}. What is empty acts as one blank."
    )
    return option(forms, words, default="")


def _openai_options() -> dict[str, Schema]:
    return {
        "model": option(STRING, "Repeated in the answer; any name will do. Without one, it is that of /v1/models."),
        "n": option(integer((1, MAX_CHOICES)), "Answers to each prompt.", default=1),
        "response_format": option(_response_format(), "Form that the text must have; not together with grammar."),
        "stream_options": option(
            _body(
                {
                    "include_usage": option(BOOLEAN, "End with a chunk that counts tokens.", default=False),
                    "continuous_usage_stats": option({"enum": [False]}, "Not supported: refused if it is true."),
                }
            ),
            "What else a stream tells.",
        ),
        "tools": option(_EMPTY_LIST, "Not supported: refused unless it is empty or tool_choice is none."),
        "functions": option(_EMPTY_LIST, "Not supported: refused unless it is empty or function_call is none."),
        "tool_choice": option({"enum": ["none", "auto"]}, "With none, tools may be there, and are left out."),
        "function_call": option({"enum": ["none", "auto"]}, "With none, functions may be there, and are left out."),
    }


def _response_format() -> Schema:
    schema = record({"schema": {"type": "object", "description": "A JSON Schema."}})
    return either(
        record({"type": {"const": "text"}}),
        record(
            {"type": {"const": "json_object"}, "schema": {"enum": [{}, None], "description": "Not supported."}},
            optional=("schema",),
        ),
        record({"type": {"const": "json_schema"}, "json_schema": schema}),
    )


def _message() -> Schema:
    text = record({"type": {"const": "text"}, "text": STRING})
    refusal = record({"type": {"const": "refusal"}, "refusal": STRING})
    texts = either(STRING, array(either(STRING, text)))
    fields = _body(
        {
            "role": {
                **STRING,
                "minLength": 1,
                "description": "Who speaks: system, user, assistant, or what else the model's template knows.",
            },
            "content": option(
                either(STRING, array(either(STRING, text, refusal))),
                "The text, or its parts in order; what the assistant refused with is text, too.",
            ),
            "refusal": option(STRING, "What the assistant refused with; it follows the content."),
            "name": option(STRING, "Name of the speaker, for templates that show it."),
            "tool_call_id": option(STRING, "Call that the message answers, for templates that show it."),
            "tool_calls": option(array({}), "Calls that the message made, for templates that show them."),
            "function_call": option({"enum": [{}]}, _NOT_SUPPORTED),
            "audio": option({"enum": [{}]}, _NOT_SUPPORTED),
        },
        required=("role",),
    )
    return fields | {
        "allOf": [
            _if_role(SPEAKERS_WITH_TEXT, {"properties": {"content": texts}, "required": ["content"]}),
            _if_role(("assistant",), {}, {"properties": {"content": either(*texts["anyOf"], NULL)}}),
        ]
    }


def _if_role(roles: Sequence[str], then: Schema, otherwise: Schema | None = None) -> Schema:
    condition = {"if": {"properties": {"role": {"enum": list(roles)}}}, "then": then}
    return condition if otherwise is None else condition | {"else": otherwise}


def _embedding_options() -> dict[str, Schema]:
    norms = {"enum": [UNIT_LENGTH, RAW]}
    return {
        "embd_normalize": option(
            norms, f"{UNIT_LENGTH} for vectors of length 1, {RAW} for what the model gives.", default=UNIT_LENGTH
        ),
        "dimensions": option(integer((1, UINT32[1])), "Length of the vectors; only the model's own is possible."),
        "timeout_s": timeout(),
    }
