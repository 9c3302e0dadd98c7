"""Judges an answer of this project by the recorded answer of the 2024 server.

Agreement means: the same status, headers, keys, types, counts and flags, and the same numbers and texts as far as
kernels that changed since allow. The numbers: probabilities within 0.10, the first four tokens of greedy texts, the
direction of embeddings. Where this project decided to differ from the reference, the decision is what is checked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.golden.chat import compare_chat, compare_chat_stream
from tests.golden.completion import compare_completion, compare_completion_stream
from tests.golden.embedding import compare_embedding, compare_openai_embeddings
from tests.golden.findings import Findings
from tests.golden.state import compare_metrics, compare_models, compare_props, compare_slots

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXTS = {
    "/completion": compare_completion_stream,
    "/infill": compare_completion_stream,
    "/v1/chat/completions": compare_chat_stream,
    "/metrics": compare_metrics,
}
_ANSWERS = {
    "/completion": compare_completion,
    "/infill": compare_completion,
    "/v1/chat/completions": compare_chat,
    "/embedding": compare_embedding,
    "/v1/embeddings": compare_openai_embeddings,
    "/slots": compare_slots,
    "/v1/models": compare_models,
    "/props": compare_props,
}
_ORIGIN = "Access-Control-Allow-Origin"


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


def own_content_type(case: Mapping[str, Any]) -> str | None:
    """The type that this project's answer has to a recorded request; None for an answer without a body."""
    kind = case["content_type"]
    # Streams say what they are written in, so that no client takes it for Latin-1.
    return f"{kind}; charset=utf-8" if kind == "text/event-stream" else kind or None


def _compare_headers(findings: Findings, case: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    findings.expect_equal("header content-type", own_content_type(case), headers.get("content-type"))
    for name in sorted({_ORIGIN, *case["cors"]}):
        # An empty origin is none.
        findings.expect_equal(f"header {name.lower()}", case["cors"].get(name) or None, headers.get(name.lower()))


def _compare_body(findings: Findings, case: Mapping[str, Any], body: bytes) -> None:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        findings.differ("body", f"is not UTF-8: {error}")
        return
    if case["method"] == "OPTIONS":
        findings.expect_equal("body", "", text)
        return
    if "response_text" in case:
        compare_text = _TEXTS.get(case["path"], _compare_text_exactly)
        compare_text(findings, case, text)
        return
    try:
        answer = json.loads(text)
    except json.JSONDecodeError as error:
        findings.differ("body", f"is not JSON: {error}")
        return
    compact = json.dumps(answer, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if text != compact:
        findings.differ("body", "is not compact JSON with sorted keys and raw UTF-8")
    compare_answer = _ANSWERS.get(case["path"], _compare_exactly)
    compare_answer(findings, case, answer)


def _compare_text_exactly(findings: Findings, case: Mapping[str, Any], text: str) -> None:
    findings.expect_equal("body", case["response_text"], text)


def _compare_exactly(findings: Findings, case: Mapping[str, Any], answer: Any) -> None:
    findings.expect_equal("body", case["response"], answer)
