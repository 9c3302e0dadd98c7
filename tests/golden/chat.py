"""Compares answers of the chat route."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from tests.golden.text import expect_same_start, is_same_start, parse_events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.golden.findings import Findings

# The two best first tokens of this case are 0.1 apart in logits, and kernels that changed since turn them round.
_DRIFTED = frozenset({"chat-2"})

_ID = re.compile(r"chatcmpl-[0-9A-Za-z]+")


def compare_chat(findings: Findings, case: Mapping[str, Any], answer: Any) -> None:
    """Compare a whole answer."""
    expected = _with_additions(case["response"])
    if not findings.expect_shape("", expected, answer):
        return
    findings.explain("answer", "has the fields that the OpenAI API has added since (docs/adr/0010)")
    if not findings.expect_equal("choices: length", len(expected["choices"]), len(answer["choices"])):
        return
    _compare_envelope(findings, expected, answer)
    usage, recorded_usage = answer["usage"], expected["usage"]
    findings.expect_equal(
        "usage.total_tokens", usage["prompt_tokens"] + usage["completion_tokens"], usage["total_tokens"]
    )
    choice, recorded_choice = answer["choices"][0], expected["choices"][0]
    findings.expect_equal("choices[0].index", 0, choice["index"])
    findings.expect_equal("choices[0].logprobs", None, choice["logprobs"])
    findings.expect_equal("choices[0].message.refusal", None, choice["message"]["refusal"])
    findings.expect_equal("choices[0].message.role", "assistant", choice["message"]["role"])
    # The reference always said "stop" here.
    is_cut = usage["completion_tokens"] >= case["body"]["max_tokens"]
    if choice["finish_reason"] != "stop" and not (is_cut and choice["finish_reason"] == "length"):
        findings.differ("choices[0].finish_reason", f"is {choice['finish_reason']!r}; 'stop' is expected")
    if usage["prompt_tokens"] != recorded_usage["prompt_tokens"] and _has_own_system_message(case):
        _explain_template(findings)
        return
    findings.expect_equal("usage.prompt_tokens", recorded_usage["prompt_tokens"], usage["prompt_tokens"])
    if case["name"] in _DRIFTED:
        findings.explain("choices[0].message.content", "kernels that changed since begin with another token")
        return
    recorded_text, text = recorded_choice["message"]["content"], choice["message"]["content"]
    expect_same_start(findings, "choices[0].message.content", recorded_text, text)
    if recorded_text == text:
        findings.expect_equal(
            "usage.completion_tokens", recorded_usage["completion_tokens"], usage["completion_tokens"]
        )


def _with_additions(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded answer with the fields that the OpenAI API has added since."""
    expected = copy.deepcopy(dict(recorded))
    for choice in expected["choices"]:
        choice["logprobs"] = None
        choice["message"]["refusal"] = None
    expected["usage"]["prompt_tokens_details"] = {"cached_tokens": 0}
    return expected


def compare_chat_stream(findings: Findings, case: Mapping[str, Any], text: str) -> None:
    """Compare a stream: a chunk with the role, one chunk per token, one with the reason, and ``[DONE]``.

    The reference sent neither the role nor ``[DONE]``, and a new id with every chunk.
    """
    recorded, events = parse_events(findings, case["response_text"]), parse_events(findings, text)
    if not recorded or not events:
        return
    if findings.expect_equal("last event", "[DONE]", events[-1]):
        findings.explain("stream", "begins with the role and ends with [DONE] (docs/adr/0010)")
    chunks = [event for event in events if event != "[DONE]"]
    if not chunks:
        findings.differ("stream", "has no chunks")
        return
    for number, chunk in enumerate(chunks):
        if not findings.expect_shape(
            f"event {number}", recorded[0], chunk, type_only={"delta"}, ignored={"finish_reason"}
        ):
            return
        if not findings.expect_equal(f"event {number}.choices: length", 1, len(chunk["choices"])):
            return
        _compare_envelope(findings, recorded[0], chunk)
    for key in ("id", "created"):
        if len({chunk[key] for chunk in chunks}) > 1:
            findings.differ(key, "changes within the stream; every chunk must have the same")
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    findings.expect_equal("first delta", {"role": "assistant"}, deltas[0])
    findings.expect_equal("last delta", {}, deltas[-1])
    findings.expect_equal("finish_reason before the last", [None] * (len(chunks) - 1), reasons[:-1])
    for delta in deltas[1:-1]:
        if delta.keys() != {"content"} or not isinstance(delta["content"], str) or not delta["content"]:
            findings.differ("delta", f"is {delta}; a content that is not empty is expected")
            return
    _compare_stream_text(findings, case, recorded, [delta["content"] for delta in deltas[1:-1]], reasons[-1])


def _compare_stream_text(
    findings: Findings, case: Mapping[str, Any], recorded: Sequence[Any], contents: Sequence[str], reason: Any
) -> None:
    recorded_contents = [chunk["choices"][0]["delta"].get("content", "") for chunk in recorded[:-1]]
    recorded_text, text = "".join(recorded_contents), "".join(contents)
    if _has_own_system_message(case) and not is_same_start(recorded_text, text):
        _explain_template(findings)
        return
    expect_same_start(findings, "content", recorded_text, text)
    if recorded_text == text:
        findings.expect_equal("content chunks", len(recorded_contents), len(contents))
        findings.expect_equal("finish_reason", recorded[-1]["choices"][0]["finish_reason"], reason)
    elif reason not in ("stop", "length"):
        findings.differ("finish_reason", f"is {reason!r}; 'stop' or 'length' is expected")


def _compare_envelope(findings: Findings, expected: Mapping[str, Any], actual: Mapping[str, Any]) -> None:
    findings.expect_equal("object", expected["object"], actual["object"])
    findings.expect_equal("model", expected["model"], actual["model"])
    if not _ID.fullmatch(actual["id"]):
        findings.differ("id", f"is {actual['id']!r}; 'chatcmpl-' and letters or digits are expected")
    if actual["created"] <= 0:
        findings.differ("created", f"is {actual['created']}; seconds since 1970 are expected")


def _has_own_system_message(case: Mapping[str, Any]) -> bool:
    """Whether the model's own template puts a system message in front, which the reference's did not."""
    return all(message["role"] != "system" for message in case["body"]["messages"])


def _explain_template(findings: Findings) -> None:
    findings.explain(
        "prompt", "the model's own template adds its default system message; the text is not compared (docs/adr/0008)"
    )
