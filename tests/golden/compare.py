"""Judges an answer of this project by the recorded answer of the 2024 server.

Agreement means: the same status, headers, keys, types, counts and flags, and the same numbers and texts as far as
kernels that changed since allow. The numbers: probabilities within 0.10, the first four tokens of greedy texts, the
direction of embeddings. Where this project decided to differ from the reference, the decision is what is checked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.golden.chat import compare_chat, compare_chat_stream
from tests.golden.completion import compare_completion, compare_completion_stream
from tests.golden.findings import Findings, type_name

# Least cosine between an embedding and the recorded one, and how far its length may be from 1.
_LEAST_COSINE = 0.999
_LENGTH_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Agreement:
    """The answer agrees.

    Attributes:
        explained: differences that are allowed, and why.
    """

    explained: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The answer is wrong.

    Attributes:
        reasons: every difference found; at least one.
        explained: differences that are allowed, and why.
    """

    reasons: tuple[str, ...]
    explained: tuple[str, ...] = ()


def compare(case: Mapping[str, Any], status: int, headers: Mapping[str, str], body: bytes) -> Agreement | Disagreement:
    """Compare an answer with a recorded case.

    Args:
        case: one element of ``cases`` in the recorded file.
        status: HTTP status.
        headers: HTTP headers; names in any case.
        body: the whole body, chunked transfer coding removed.
    """
    findings = Findings()
    findings.expect_equal("status", case["status"], status)
    _compare_headers(findings, case, {name.lower(): value for name, value in headers.items()})
    # An error body has nothing in common with the recorded one: reporting each missing key would only hide the status.
    if status == case["status"]:
        _compare_body(findings, case, body)
    if findings.differences:
        return Disagreement(tuple(findings.differences), tuple(findings.explained))
    return Agreement(tuple(findings.explained))


def _compare_headers(findings: Findings, case: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    findings.expect_equal("header content-type", case["content_type"], headers.get("content-type"))
    findings.expect_equal(
        "header access-control-allow-origin",
        case["cors"].get("Access-Control-Allow-Origin"),
        headers.get("access-control-allow-origin"),
    )


def _compare_body(findings: Findings, case: Mapping[str, Any], body: bytes) -> None:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        findings.differ("body", f"is not UTF-8: {error}")
        return
    if "response_text" in case:
        streams = {"/completion": compare_completion_stream, "/v1/chat/completions": compare_chat_stream}
        streams[case["path"]](findings, case, text)
        return
    try:
        answer = json.loads(text)
    except json.JSONDecodeError as error:
        findings.differ("body", f"is not JSON: {error}")
        return
    compact = json.dumps(answer, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if text != compact:
        findings.differ("body", "is not compact JSON with sorted keys and raw UTF-8")
    routes = {
        "/completion": compare_completion,
        "/v1/chat/completions": compare_chat,
        "/embedding": _compare_embedding,
        "/slots": _compare_slots,
        "/v1/models": _compare_models,
    }
    compare_answer = routes.get(case["path"], _compare_exactly)
    compare_answer(findings, case, answer)


def _compare_exactly(findings: Findings, case: Mapping[str, Any], answer: Any) -> None:
    findings.expect_equal("body", case["response"], answer)


def _compare_embedding(findings: Findings, case: Mapping[str, Any], answer: Any) -> None:
    """The reference did not normalise; this project does, so directions are compared."""
    if not findings.expect_shape("", case["response"], answer):
        return
    expected, actual = case["response"]["embedding"], answer["embedding"]
    if not findings.expect_equal("embedding: length", len(expected), len(actual)):
        return
    norm = math.hypot(*actual)
    if abs(norm - 1) > _LENGTH_TOLERANCE:
        findings.differ("embedding", f"has length {norm:.4f}; a unit vector is expected")
        return
    cosine = sum(a * b for a, b in zip(expected, actual, strict=True)) / (norm * math.hypot(*expected))
    if cosine <= _LEAST_COSINE:
        findings.differ("embedding", f"has cosine {cosine:.5f} to the recorded one; above {_LEAST_COSINE} is expected")


def _compare_slots(findings: Findings, case: Mapping[str, Any], answer: Any) -> None:
    """Slots show the last request, which need not be the recorded one: keys and types only."""
    expected = case["response"]
    if not findings.expect_equal("body: type", "array", type_name(answer)):
        return
    if not findings.expect_equal("body: slots", len(expected), len(answer)):
        return
    for number, (expected_slot, slot) in enumerate(zip(expected, answer, strict=True)):
        findings.expect_shape(f"[{number}]", expected_slot, slot, ignored={"prompt"})
        if isinstance(slot, dict) and type_name(slot.get("prompt")) not in ("null", "string", "array"):
            findings.differ(f"[{number}].prompt", f"is {slot.get('prompt')!r}; null, string or array is expected")


def _compare_models(findings: Findings, case: Mapping[str, Any], answer: Any) -> None:
    """The time and the model's name are the server's own."""
    if findings.expect_shape("", case["response"], answer):
        findings.expect_equal("data: length", len(case["response"]["data"]), len(answer["data"]))
        findings.expect_equal("object", case["response"]["object"], answer["object"])
        for model in answer["data"]:
            for key in ("object", "owned_by"):
                findings.expect_equal(f"data.{key}", case["response"]["data"][0][key], model[key])
