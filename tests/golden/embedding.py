"""Compares embeddings: the reference gave raw vectors, this project gives unit vectors in the same direction."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.golden.findings import Findings

# Least cosine between an embedding and the recorded one, and how far its length may be from 1.
_LEAST_COSINE = 0.999
_LENGTH_TOLERANCE = 1e-3


def compare_embedding(findings: Findings, case: Mapping[str, Any], answer: Any) -> None:
    """Compare an answer in the native form: one vector, or several as ``results``."""
    expected = case["response"]
    if not findings.expect_shape("", expected, answer):
        return
    if "results" not in expected:
        _compare_vectors(findings, [""], [expected["embedding"]], [answer["embedding"]])
        return
    if findings.expect_equal("results: length", len(expected["results"]), len(answer["results"])):
        _compare_vectors(
            findings,
            [f"results[{number}]." for number in range(len(expected["results"]))],
            [result["embedding"] for result in expected["results"]],
            [result["embedding"] for result in answer["results"]],
        )


def compare_openai_embeddings(findings: Findings, case: Mapping[str, Any], answer: Any) -> None:
    """Compare an answer in the OpenAI form. The reference counted no tokens in ``usage``."""
    expected = case["response"]
    if not findings.expect_shape("", expected, answer):
        return
    for key in ("model", "object"):
        findings.expect_equal(key, expected[key], answer[key])
    usage = answer["usage"]
    findings.expect_equal("usage.total_tokens", usage["prompt_tokens"], usage["total_tokens"])
    if usage["prompt_tokens"] <= 0:
        findings.differ("usage.prompt_tokens", f"is {usage['prompt_tokens']}; the tokens of the inputs are expected")
    elif usage != expected["usage"]:
        findings.explain("usage", "the reference did not count (docs/adr/0010)")
    if not findings.expect_equal("data: length", len(expected["data"]), len(answer["data"])):
        return
    for number, (recorded, item) in enumerate(zip(expected["data"], answer["data"], strict=True)):
        for key in ("index", "object"):
            findings.expect_equal(f"data[{number}].{key}", recorded[key], item[key])
    _compare_vectors(
        findings,
        [f"data[{number}]." for number in range(len(expected["data"]))],
        [item["embedding"] for item in expected["data"]],
        [item["embedding"] for item in answer["data"]],
    )


def _compare_vectors(
    findings: Findings, places: Sequence[str], expected: Sequence[list[float]], actual: Sequence[list[float]]
) -> None:
    before = len(findings.differences)
    for place, recorded, vector in zip(places, expected, actual, strict=True):
        _compare_vector(findings, f"{place}embedding", recorded, vector)
    if len(findings.differences) == before:
        findings.explain("embedding", "vectors have length 1, the reference's did not (docs/adr/0010)")


def _compare_vector(findings: Findings, place: str, expected: list[float], actual: list[float]) -> None:
    if not findings.expect_equal(f"{place}: length", len(expected), len(actual)):
        return
    norm = math.hypot(*actual)
    if abs(norm - 1) > _LENGTH_TOLERANCE:
        findings.differ(place, f"has length {norm:.4f}; a unit vector is expected")
        return
    cosine = sum(a * b for a, b in zip(expected, actual, strict=True)) / (norm * math.hypot(*expected))
    if cosine <= _LEAST_COSINE:
        findings.differ(place, f"has cosine {cosine:.5f} to the recorded one; above {_LEAST_COSINE} is expected")
