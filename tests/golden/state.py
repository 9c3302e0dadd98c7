"""Compares what a server tells about itself: slots, models, properties and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.golden.findings import Findings, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping


def compare_slots(findings: Findings, case: Mapping[str, Any], answer: Any) -> None:
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


def compare_models(findings: Findings, case: Mapping[str, Any], answer: Any) -> None:
    """The time and the model's name are the server's own."""
    if findings.expect_shape("", case["response"], answer):
        findings.expect_equal("data: length", len(case["response"]["data"]), len(answer["data"]))
        findings.expect_equal("object", case["response"]["object"], answer["object"])
        for model in answer["data"]:
            for key in ("object", "owned_by"):
                findings.expect_equal(f"data.{key}", case["response"]["data"][0][key], model[key])


def compare_props(findings: Findings, case: Mapping[str, Any], answer: Any) -> None:
    """Everything but the model's name."""
    expected = case["response"]
    if not findings.expect_shape("", expected, answer):
        return
    for key in ("assistant_name", "total_slots", "user_name"):
        findings.expect_equal(key, expected[key], answer[key])
    for key, value in expected["default_generation_settings"].items():
        if key != "model":
            where = f"default_generation_settings.{key}"
            findings.expect_equal(where, value, answer["default_generation_settings"][key])


def compare_metrics(findings: Findings, case: Mapping[str, Any], text: str) -> None:
    """The same names, kinds and help in the same order, and the same kind of number; more may follow."""
    recorded, lines = case["response_text"].splitlines(), text.splitlines()
    if not text.endswith("\n"):
        findings.differ("body", "does not end with a line feed")
    for number, expected in enumerate(recorded):
        line = lines[number] if number < len(lines) else ""
        if expected.startswith("#"):
            findings.expect_equal(f"line {number + 1}", expected, line)
            continue
        (name, value), (own_name, _, own_value) = expected.split(" "), line.partition(" ")
        findings.expect_equal(f"line {number + 1}", name, own_name)
        findings.expect_equal(f"line {number + 1}: kind of number", _kind(value), _kind(own_value))
    if len(lines) > len(recorded):
        findings.explain("body", "metrics of this project follow")


def _kind(value: str) -> str:
    try:
        return "integer" if value.lstrip("-").isdigit() else type_name(float(value))
    except ValueError:
        return "text"
