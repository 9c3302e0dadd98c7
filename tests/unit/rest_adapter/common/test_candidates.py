"""How many probabilities a body may ask for, and that none of its fields is left out of the count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rest_adapter.apis.common.candidates import MAX_CANDIDATES
from rest_adapter.apis.common.prompt import MAX_REPEATED_BYTES
from rest_adapter.apis.native.completion.request import read_completion
from rest_adapter.apis.native.infill.request import read_infill
from rest_adapter.apis.openai.chat.request import read_chat
from rest_adapter.apis.openai.completions.request import read_text_completion
from rest_adapter.errors import InvalidRequest
from tests.unit.rest_adapter.clients import USER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CHAT = {"messages": USER}
LOGPROBS = CHAT | {"logprobs": True}


@pytest.mark.parametrize(
    ("read", "body", "most", "field"),
    [
        (read_completion, {"n_predict": 48}, MAX_CANDIDATES // 48, "n_probs"),
        (read_completion, {}, 1024, "n_probs"),
        (read_completion, {"n_predict": -1}, 1024, "n_probs"),
        (read_completion, {"n_predict": 48, "prompt": ["a", "b", "c"]}, MAX_CANDIDATES // (48 * 3), "n_probs"),
        (read_infill, {"n_predict": 48}, MAX_CANDIDATES // 48, "n_probs"),
        (read_text_completion, {}, MAX_CANDIDATES // 16, "n_probs"),
        (read_text_completion, {"max_tokens": 5, "n": 2, "prompt": ["a", "b"]}, MAX_CANDIDATES // 20, "n_probs"),
        (read_text_completion, {"max_tokens": 200, "n": 128}, 40, "logprobs"),
        (read_chat, CHAT | {"max_tokens": 1000}, 1048, "n_probs"),
        (read_chat, LOGPROBS | {"max_tokens": 1000, "n": 100}, 10, "top_logprobs"),
        (read_chat, LOGPROBS | {"n": 128}, 8, "top_logprobs"),
    ],
)
def test_as_many_as_the_bound_allows_and_no_more(
    read: Callable[[Mapping[str, object]], Any], body: dict[str, object], most: int, field: str
) -> None:
    read(body | {field: most})
    with pytest.raises(InvalidRequest) as refused:
        read(body | {field: most + 1})
    assert refused.value.name == field
    assert refused.value.message.endswith(f"allowed is a product of at most {MAX_CANDIDATES}")


def test_the_refusal_names_both_fields_their_values_and_what_is_allowed() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_completion({"prompt": "aaaa", "n_predict": 48, "n_probs": 49_152})
    assert refused.value.message == (
        "n_probs: 49152 times n_predict 48 makes 2359296 probabilities; allowed is a product of at most 1048576"
    )
    with pytest.raises(InvalidRequest) as refused:
        read_chat(LOGPROBS | {"top_logprobs": 20, "n": 128, "max_tokens": 1000})
    assert refused.value.message == (
        "top_logprobs: 20 for each of 128 answers times max_tokens 1000 makes 2560000 probabilities; allowed is a "
        "product of at most 1048576"
    )


def test_prompts_without_a_limit_on_tokens_get_one_together() -> None:
    call = read_completion({"prompt": ["a", "b"], "n_probs": 10})
    assert [request.stop.max_tokens for request in call.requests] == [MAX_CANDIDATES // 20] * 2
    # One alone is limited by the core.
    assert not read_completion({"prompt": "a", "n_probs": 10}).requests[0].stop.HasField("max_tokens")
    assert not read_completion({"prompt": ["a", "b"]}).requests[0].stop.HasField("max_tokens")


@pytest.mark.parametrize(
    ("read", "field", "value"),
    [
        (read_completion, "grammar", "#" * 9000),
        (read_completion, "logit_bias", [[token, 1.5] for token in range(1000)]),
        (read_text_completion, "suffix", "s" * 9000),
    ],
)
def test_what_is_sent_with_every_prompt_is_bounded(
    read: Callable[[Mapping[str, object]], Any], field: str, value: object
) -> None:
    read({"prompt": ["a"] * 1000, field: value})
    with pytest.raises(InvalidRequest, match=r"^prompt: 4096 prompts repeat the \d+ bytes") as refused:
        read({"prompt": ["a"] * 4096, field: value})
    assert str(MAX_REPEATED_BYTES) in refused.value.message
