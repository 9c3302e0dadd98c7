"""Compares answers of /completion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.golden.probabilities import compare_probabilities
from tests.golden.text import expect_same_start, parse_events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.golden.findings import Findings

# The tokenizer cuts this prompt differently since 2024 (18 tokens, not 19).
_RECUT_PROMPT = "def fibonacci(n):"

# The reference showed the server's limits here; this project shows what the request was given.
_EFFECTIVE_SETTINGS = {"n_predict", "n_keep"}

_PARTIAL_EVENT = {"content": "", "multimodal": False, "slot_id": 0, "stop": False}


def compare_completion(findings: Findings, case: Mapping[str, Any], answer: Any) -> None:
    """Compare a whole answer, of one prompt or of several."""
    expected = case["response"]
    if "results" not in expected:
        _compare_result(findings, case, "", expected, answer)
        return
    if findings.expect_shape("", expected, answer, type_only={"results"}) and findings.expect_equal(
        "results: length", len(expected["results"]), len(answer["results"])
    ):
        for number, (recorded, result) in enumerate(zip(expected["results"], answer["results"], strict=True)):
            _compare_result(findings, case, f"results[{number}]", recorded, result)


def compare_completion_stream(findings: Findings, case: Mapping[str, Any], text: str) -> None:
    """Compare a stream: partial events, then one final event that looks like a whole answer without its text."""
    recorded, events = parse_events(findings, case["response_text"]), parse_events(findings, text)
    if not recorded or not events:
        return
    *recorded_parts, recorded_final = recorded
    *parts, final = events
    sample = dict(_PARTIAL_EVENT)
    if case["body"].get("n_probs"):
        sample["completion_probabilities"] = []
    for number, part in enumerate(parts):
        if not findings.expect_shape(f"event {number}", sample, part):
            return
        for key in ("multimodal", "slot_id", "stop"):
            findings.expect_equal(f"event {number}.{key}", _PARTIAL_EVENT[key], part[key])
    recorded_text, generated = ("".join(part["content"] for part in side) for side in (recorded_parts, parts))
    if isinstance(final, dict):
        findings.expect_equal("final event.content", "", final.get("content"))
        # With its text put back, the final event is a whole answer.
        final = {**final, "content": generated}
    _compare_result(findings, case, "final event", {**recorded_final, "content": recorded_text}, final)
    if recorded_text == generated:
        # Events without text may be sent for control tokens.
        contents, recorded_contents = ([part["content"] for part in side] for side in (parts, recorded_parts))
        findings.expect_equal(
            "texts of the events", list(filter(None, recorded_contents)), list(filter(None, contents))
        )


def _compare_result(findings: Findings, case: Mapping[str, Any], place: str, expected: Any, actual: Any) -> None:
    """Compare the answer for one prompt."""
    # These hold lists whose elements are looked at one by one.
    if not findings.expect_shape(
        place, expected, actual, type_only={"completion_probabilities", "logit_bias", "prompt"}
    ):
        return
    for key in ("prompt", "slot_id", "stop", "truncated"):
        findings.expect_equal(f"{place}.{key}", expected[key], actual[key])
    _compare_settings(findings, case, place, expected["generation_settings"], actual["generation_settings"])
    _compare_timings(findings, place, actual)
    is_recut = _is_recut(case)
    if is_recut:
        findings.explain(f"{place}.prompt", "the prompt is cut into other tokens since 2024; shapes are compared only")
    else:
        findings.expect_equal(f"{place}.tokens_evaluated", expected["tokens_evaluated"], actual["tokens_evaluated"])
    is_greedy = case["body"].get("temperature", 0.8) <= 0
    if is_greedy and not is_recut:
        expect_same_start(findings, f"{place}.content", expected["content"], actual["content"])
    _compare_end(findings, case, place, expected, actual, is_comparable=is_greedy and not is_recut)
    if case["body"].get("n_probs"):
        compare_probabilities(findings, case, place, expected, actual, is_recut=is_recut)


def _compare_settings(
    findings: Findings, case: Mapping[str, Any], place: str, expected: Mapping[str, Any], actual: Mapping[str, Any]
) -> None:
    for key, value in expected.items():
        where = f"{place}.generation_settings.{key}"
        if key == "model":
            continue
        if key in _EFFECTIVE_SETTINGS:
            wanted = case["body"].get(key, value)
            if actual[key] not in (wanted, value):
                findings.differ(where, f"is {actual[key]}; {wanted} is expected")
            elif actual[key] != value:
                findings.explain(where, "shows what is in force (docs/adr/0010)")
        elif key == "logit_bias":
            _compare_biases(findings, where, expected, actual)
        else:
            findings.expect_equal(where, value, actual[key])


def _compare_biases(findings: Findings, where: str, expected: Mapping[str, Any], actual: Mapping[str, Any]) -> None:
    """The order is free, and ``ignore_eos`` bans every end-of-generation token here, the reference banned one."""
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in actual["logit_bias"]):
        findings.differ(where, f"is {actual['logit_bias']}; pairs of a token and a bias are expected")
        return
    missing = [pair for pair in expected["logit_bias"] if pair not in actual["logit_bias"]]
    extra = [pair for pair in actual["logit_bias"] if pair not in expected["logit_bias"]]
    if expected["ignore_eos"]:
        extra = [pair for pair in extra if pair[1] is not None]
        missing = [] if not actual["logit_bias"] else missing
    if missing or extra:
        findings.differ(where, f"lacks {missing} and has {extra} besides what is expected")


def _compare_timings(findings: Findings, place: str, actual: Mapping[str, Any]) -> None:
    for key, value in actual["timings"].items():
        if value is None or value < 0:
            findings.differ(f"{place}.timings.{key}", f"is {value}; a number that is not negative is expected")
    findings.expect_equal(f"{place}.timings.predicted_n", actual["tokens_predicted"], actual["timings"]["predicted_n"])


def _compare_end(
    findings: Findings,
    case: Mapping[str, Any],
    place: str,
    expected: Mapping[str, Any],
    actual: Mapping[str, Any],
    *,
    is_comparable: bool,
) -> None:
    """Compare counts and flags: exactly if the texts are the same, else by what they must be in any case."""
    findings.expect_equal(
        f"{place}.tokens_cached",
        actual["tokens_evaluated"] + actual["tokens_predicted"] - 1,
        actual["tokens_cached"],
    )
    flags = ("stopped_eos", "stopped_limit", "stopped_word")
    if is_comparable and expected["content"] == actual["content"]:
        for key in ("tokens_predicted", "stopping_word", *flags):
            findings.expect_equal(f"{place}.{key}", expected[key], actual[key])
        return
    if not any(actual[flag] for flag in flags):
        findings.differ(f"{place}", f"has none of {', '.join(flags)}; one of them is expected")
    limit = case["body"]["n_predict"]
    if actual["tokens_predicted"] > limit or (actual["stopped_limit"] and actual["tokens_predicted"] < limit):
        findings.differ(f"{place}.tokens_predicted", f"is {actual['tokens_predicted']}; the limit is {limit}")


def _is_recut(case: Mapping[str, Any]) -> bool:
    prompt = case["body"].get("prompt")
    return isinstance(prompt, str) and prompt.startswith(_RECUT_PROMPT)
