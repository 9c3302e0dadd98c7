"""How many candidates a request may have reported."""

from __future__ import annotations

import pytest

from service.api.convert.candidates import MAX_CANDIDATES, bounded_max_tokens
from service.errors import InvalidArgument
from slotline.v1.generation_pb2 import GenerateRequest, OutputOptions, StopParams


def request(
    max_tokens: int | None = None,
    n_sequences: int | None = None,
    *,
    n_probs: int | None = None,
    top_logprobs: int | None = None,
) -> GenerateRequest:
    return GenerateRequest(
        stop=StopParams(max_tokens=max_tokens),
        num_sequences=n_sequences,
        output=OutputOptions(n_probs=n_probs, top_logprobs=top_logprobs),
    )


@pytest.mark.parametrize(
    ("message", "cap", "expected"),
    [
        (request(), None, None),
        (request(5), None, 5),
        (request(10**9), None, 10**9),
        (request(top_logprobs=0), None, None),
        (request(21, n_probs=49_152), None, 21),
        (request(n_probs=10), None, MAX_CANDIDATES // 10),
        (request(n_probs=5, top_logprobs=5, n_sequences=2), None, MAX_CANDIDATES // 20),
        # The server's own limit holds anyway.
        (request(n_probs=5000), 200, None),
        (request(10**6, n_probs=5000), 200, 10**6),
        (request(0, n_probs=2**31), None, 0),
    ],
)
def test_the_limit_on_tokens(message: GenerateRequest, cap: int | None, expected: int | None) -> None:
    assert bounded_max_tokens(message, cap) == expected


@pytest.mark.parametrize(
    ("message", "cap", "expected"),
    [
        (request(), None, 7),
        (request(0), None, 0),
        (request(9), None, 9),
        (request(9), 5, 9),
        (request(n_probs=10), None, 7),
    ],
)
def test_a_request_without_a_limit_gets_the_usual_one(
    message: GenerateRequest, cap: int | None, expected: int | None
) -> None:
    assert bounded_max_tokens(message, cap, default=7) == expected


@pytest.mark.parametrize(
    ("message", "cap", "field", "problem"),
    [
        (
            request(48, n_probs=49_152),
            None,
            "output.n_probs",
            "asks for 49152 candidates per token over all sequences, times stop.max_tokens 48; allowed is a product of "
            "at most 1048576",
        ),
        (
            request(n_probs=1025),
            None,
            "output.n_probs",
            "asks for 1025 candidates per token over all sequences, times at least 1024 tokens without stop.max_tokens"
            "; allowed is a product of at most 1048576",
        ),
        (
            request(1000, n_sequences=128, top_logprobs=20),
            None,
            "output.top_logprobs",
            "asks for 2560 candidates per token over all sequences, times stop.max_tokens 1000; allowed is a product "
            "of at most 1048576",
        ),
    ],
)
def test_more_than_allowed_is_refused_by_name(
    message: GenerateRequest, cap: int | None, field: str, problem: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        bounded_max_tokens(message, cap)
    assert (refused.value.field, refused.value.problem) == (field, problem)
