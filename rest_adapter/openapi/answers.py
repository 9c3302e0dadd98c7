"""The shapes of all answers without errors, by the names that the document gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.list_options import SAMPLER_NAMES
from rest_adapter.apis.common.settings import PLAIN_OPTIONS
from rest_adapter.apis.openai.models.reply import OWNER
from rest_adapter.openapi.schema_types import (
    BOOLEAN,
    COUNT,
    NULL,
    NUMBER,
    STRING,
    Schema,
    array,
    either,
    integer,
    record,
    ref,
)

if TYPE_CHECKING:
    from slotline.options import OptionFacts

_COUNT_OR_NONE = integer((-1, 2**63 - 1))
_IDS = array(COUNT)
_FINISH_REASON: Schema = {"enum": ["stop", "length"]}
_SHOWN_PROMPT = either(STRING, {"type": "array"})


def answer_schemas() -> dict[str, Schema]:
    """All of them."""
    return {**_native_schemas(), **_openai_schemas(), **_state_schemas()}


def _settings() -> dict[str, Schema]:
    # A token id and its bias; a ban shows as null.
    bias = array(either(NUMBER, NULL), minItems=2, maxItems=2)
    return {
        **{facts.name: _shown(facts) for facts in PLAIN_OPTIONS},
        "grammar": STRING,
        "logit_bias": array(bias),
        "model": STRING,
        "n_ctx": COUNT,
        "n_keep": COUNT,
        "n_predict": _COUNT_OR_NONE,
        "n_probs": COUNT,
        "penalty_prompt_tokens": _IDS,
        "samplers": array(STRING | {"enum": list(SAMPLER_NAMES)}),
        "seed": _COUNT_OR_NONE,
        "stop": array(STRING),
        "stream": BOOLEAN,
        "use_penalty_prompt_tokens": BOOLEAN,
    }


def _shown(facts: OptionFacts) -> Schema:
    if facts.kind == "integer":
        if facts.allowed.min is None:
            return integer()
        return COUNT if facts.allowed.min == 0 else _COUNT_OR_NONE
    return BOOLEAN if facts.kind == "boolean" else NUMBER


def _native_schemas() -> dict[str, Schema]:
    completion: dict[str, Schema] = {
        "completion_probabilities": array(ref("TokenProbabilities")),
        "content": STRING,
        "generation_settings": ref("GenerationSettings"),
        # Which of several prompts a final event belongs to.
        "index": COUNT,
        "model": STRING,
        "prompt": _SHOWN_PROMPT,
        "slot_id": COUNT,
        "stop": {"const": True},
        "stopped_eos": BOOLEAN,
        "stopped_limit": BOOLEAN,
        "stopped_word": BOOLEAN,
        "stopping_word": STRING,
        "timings": ref("Timings"),
        "tokens_cached": COUNT,
        "tokens_evaluated": COUNT,
        "tokens_predicted": COUNT,
        "truncated": BOOLEAN,
    }
    piece: dict[str, Schema] = {
        "completion_probabilities": array(ref("TokenProbabilities")),
        "content": STRING,
        "index": COUNT,
        "multimodal": {"const": False},
        "slot_id": COUNT,
        "stop": {"const": False},
    }
    optional = ("completion_probabilities", "index")
    candidate = record({"prob": NUMBER, "tok_str": STRING})
    spans = ("prompt", "predicted")
    timings = {f"{span}_n": COUNT for span in spans} | {
        f"{span}_{unit}": NUMBER for span in spans for unit in ("ms", "per_token_ms", "per_second")
    }
    return {
        "GenerationSettings": record(
            _settings(), optional=[facts.name for facts in PLAIN_OPTIONS if facts.reported_if_on]
        ),
        "Timings": record(timings),
        "TokenProbabilities": record({"content": STRING, "probs": array(candidate)}),
        "Completion": record(completion, optional),
        "CompletionResults": record({"results": array(ref("Completion"))}),
        "CompletionPiece": record(piece, optional),
        "Embedding": record({"embedding": array(NUMBER)}),
        "EmbeddingResults": record({"results": array(ref("Embedding"))}),
        "Tokens": record({"tokens": _IDS}),
        "Text": record({"content": STRING}),
    }


def _openai_schemas() -> dict[str, Schema]:
    probabilities = array(ref("TokenProbabilities"))
    # One entry of a list, and the same with what might have come instead of it.
    logprob: dict[str, Schema] = {"token": STRING, "logprob": NUMBER, "bytes": array(integer((0, 255)))}
    choice_logprobs = record({"content": array(record({**logprob, "top_logprobs": array(record(logprob))}))})
    text_logprobs = record(
        {
            "text_offset": array(COUNT),
            "token_logprobs": array(either(NUMBER, NULL)),
            "tokens": array(STRING),
            "top_logprobs": array(either({"type": "object", "additionalProperties": NUMBER}, NULL)),
        }
    )
    choice = {
        "finish_reason": _FINISH_REASON,
        "index": COUNT,
        "logprobs": either(choice_logprobs, NULL),
        "message": record({"content": STRING, "refusal": NULL, "role": {"const": "assistant"}}),
    }
    # The first of a choice has the role, those between have text, the last has the reason.
    delta = {
        "delta": record({"content": STRING, "role": {"const": "assistant"}}, optional=("content", "role")),
        "finish_reason": {"enum": [*_FINISH_REASON["enum"], None]},
        "index": COUNT,
        "logprobs": either(choice_logprobs, NULL),
    }
    text_choice = {
        "finish_reason": _FINISH_REASON,
        "index": COUNT,
        "logprobs": either(text_logprobs, NULL),
        "text": STRING,
    }
    candidate = record({"decoded_token": STRING, "logprob": NUMBER, "rank": COUNT})
    prompt_logprobs = {
        "prompt_logprobs": array(either({"type": "object", "additionalProperties": candidate}, NULL))
        | {"description": "By token id, for each token of the prompt; nothing for the first."}
    }
    chunk_extras: dict[str, Schema] = {
        "completion_probabilities": probabilities,
        "usage": either(ref("Usage"), NULL),
    }
    extras = tuple(chunk_extras)
    return {
        "Usage": record(
            {
                "completion_tokens": COUNT,
                "prompt_tokens": COUNT,
                "total_tokens": COUNT,
                "prompt_tokens_details": record(
                    {
                        "cached_tokens": COUNT,
                        "truncated_tokens": COUNT
                        | {"description": "Left out because the prompt did not fit; not in prompt_tokens."},
                    },
                    optional=("truncated_tokens",),
                ),
            }
        ),
        "ChatCompletion": record(
            {
                **_envelope("chat.completion"),
                "choices": array(record(choice)),
                "usage": ref("Usage"),
                "completion_probabilities": probabilities,
            },
            optional=("completion_probabilities",),
        ),
        "ChatCompletionChunk": record(
            {**_envelope("chat.completion.chunk"), "choices": array(record(delta, ("logprobs",))), **chunk_extras},
            optional=extras,
        ),
        "TextCompletion": record(
            {
                **_envelope("text_completion"),
                "choices": array(record(text_choice | prompt_logprobs, optional=("prompt_logprobs",))),
                "usage": ref("Usage"),
                "completion_probabilities": probabilities,
            },
            optional=("completion_probabilities",),
        ),
        "TextCompletionChunk": record(
            {
                **_envelope("text_completion"),
                "choices": array(record(text_choice | {"finish_reason": delta["finish_reason"]})),
                **chunk_extras,
            },
            optional=extras,
        ),
        "EmbeddingList": record(
            {
                "data": array(
                    record(
                        {
                            "embedding": either(array(NUMBER), STRING),
                            "index": COUNT,
                            "object": {"const": "embedding"},
                        }
                    )
                ),
                "model": STRING,
                "object": {"const": "list"},
                "usage": record({"prompt_tokens": COUNT, "total_tokens": COUNT}),
            }
        ),
        "Model": record({"created": COUNT, "id": STRING, "object": {"const": "model"}, "owned_by": {"const": OWNER}}),
        "ModelList": record({"data": array(ref("Model")), "object": {"const": "list"}}),
    }


def _state_schemas() -> dict[str, Schema]:
    next_token = {
        "has_next_token": BOOLEAN,
        "n_remain": _COUNT_OR_NONE,
        "num_tokens_predicted": COUNT,
        "stopped_eos": BOOLEAN,
        "stopped_limit": BOOLEAN,
        "stopped_word": BOOLEAN,
        "stopping_word": STRING,
    }
    slot = {
        **_settings(),
        "id": COUNT,
        "next_token": record(next_token),
        "prompt": either(_SHOWN_PROMPT, NULL),
        "state": {"enum": [0, 1]},
        "task_id": _COUNT_OR_NONE,
    }
    health: dict[str, Schema] = {
        "slots": ref("Slots"),
        "slots_idle": COUNT,
        "slots_processing": COUNT,
        "status": {"enum": ["ok", "no slot available"]},
    }
    progress: dict[str, Schema] = {
        "n_cached_tokens": COUNT,
        "n_prompt_tokens": COUNT,
        "n_prompt_tokens_processed": COUNT,
    }
    server: dict[str, Schema] = {
        "build_info": STRING,
        "endpoint_metrics": BOOLEAN,
        "endpoint_slots": BOOLEAN,
        "modalities": record({"vision": BOOLEAN}),
        "n_ctx_train": COUNT,
    }
    return {
        "Slots": array(record(slot | progress, optional=progress)),
        "Health": record(health, optional=("slots",)),
        "HealthWithoutSlots": record({"status": {"enum": ["loading model", "stalled", "error"]}}),
        "Props": record(
            {
                "assistant_name": STRING,
                "default_generation_settings": ref("GenerationSettings"),
                "total_slots": COUNT,
                "user_name": STRING,
                **server,
            },
            optional=server,
        ),
    }


def _envelope(kind: str) -> dict[str, Schema]:
    return {"created": COUNT, "id": STRING, "model": STRING, "object": {"const": kind}}
