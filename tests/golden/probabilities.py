"""Compares lists of token probabilities."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from tests.golden.text import COMPARED_TOKENS

if TYPE_CHECKING:
    from tests.golden.findings import Findings

Entry = Mapping[str, Any]

# How far a probability may be from the recorded one: kernels changed since, and dropping others scales the change up.
TOLERANCE = 0.10

# In these cases the changed logits move a cut to another candidate, and what is left is scaled up: a sampler that
# follows the formulas exactly differs by more than the tolerance.
_DRIFTED = frozenset({"typical0.1-list", "topp0.3-uni", "typical0.1-uni", "minkeep-tfs-uni"})

# The reference's penalty history began with token 0, whose text is empty; this project's begins with the prompt.
_PENALISED_BY_MISTAKE = ""

# Probabilities of all survivors sum to 1; what the reference lists behind them are stale values.
_WHOLE = 1 - 1e-4


def compare_probabilities(
    findings: Findings, case: Mapping[str, Any], place: str, expected: Entry, actual: Entry, *, is_recut: bool
) -> None:
    """Compare ``completion_probabilities`` of one answer; ``is_recut`` if values cannot be compared."""
    where = f"{place}.completion_probabilities"
    recorded, items = expected["completion_probabilities"], actual["completion_probabilities"]
    if not actual["stopped_word"]:
        findings.expect_equal(f"{where}: length", actual["tokens_predicted"], len(items))
    if not _are_well_formed(findings, where, items, case["body"]["n_probs"]) or is_recut:
        return
    if case["name"] in _DRIFTED:
        findings.explain(where, "kernels that changed since move the cut; values are not compared")
        return
    if len(recorded) < len(items):
        findings.explain(where, "the reference leaves out tokens that end inside a character")
        items = _aligned(items, recorded)
    for number, (recorded_item, item) in enumerate(zip(recorded, items, strict=False)):
        _compare_candidates(findings, case, f"{where}[{number}]", recorded_item["probs"], item["probs"])
        # Behind another token, or behind the tokens that must agree, the contexts differ.
        if recorded_item["content"] != item["content"] or number + 1 == COMPARED_TOKENS:
            return


def survivors(candidates: Sequence[Entry]) -> list[Entry]:
    """The candidates that the samplers left: the head that sums to 1, or all if the list ends before."""
    total = 0.0
    for length, candidate in enumerate(candidates):
        if candidate["prob"] == 0 or total >= _WHOLE:
            return list(candidates[:length])
        total += candidate["prob"]
    return list(candidates)


def _are_well_formed(findings: Findings, where: str, items: Any, n_probs: int) -> bool:
    before = len(findings.differences)
    for number, item in enumerate(items):
        sample = {"content": "", "probs": [{"prob": 0.0, "tok_str": ""}]}
        if not findings.expect_shape(f"{where}[{number}]", sample, item):
            continue
        values = [candidate["prob"] for candidate in item["probs"]]
        findings.expect_equal(f"{where}[{number}].probs: length", n_probs, len(values))
        if values != sorted(values, reverse=True):
            findings.differ(f"{where}[{number}].probs", "are not sorted, highest first")
        if not all(0 <= value <= 1 for value in values) or math.fsum(values) > 1 + 1e-4:
            findings.differ(f"{where}[{number}].probs", "are not probabilities: below 0, above 1 or too large a sum")
    return len(findings.differences) == before


def _compare_candidates(
    findings: Findings, case: Mapping[str, Any], where: str, recorded: Sequence[Entry], actual: Sequence[Entry]
) -> None:
    wanted, given = survivors(recorded), [entry for entry in actual if entry["prob"] > 0]
    unlisted_wanted, unlisted_given = _most_unlisted(recorded, wanted), _most_unlisted(actual, given)
    if _is_penalised(case["body"]):
        wanted, given = _without_mistake(wanted), _without_mistake(given)
    if not wanted or not given:
        if wanted or given:
            findings.differ(where, f"has {len(given)} survivors; {len(wanted)} are expected")
        return
    values_wanted, values_given = _by_text(wanted), _by_text(given)
    first = given[0]["tok_str"]
    if wanted[0]["prob"] - max(values_wanted.get(first, [unlisted_wanted])) > TOLERANCE:
        findings.differ(where, f"begins with {first!r}; {wanted[0]['tok_str']!r} is expected")
    for text in sorted(values_wanted.keys() | values_given.keys()):
        for expected, value in zip_longest(values_wanted.get(text, ()), values_given.get(text, ())):
            # What one side does not list has at most the probability that its list can hide.
            expected = min(unlisted_wanted, value) if expected is None else expected
            value = min(unlisted_given, expected) if value is None else value
            if abs(expected - value) > TOLERANCE:
                findings.differ(where, f"gives {text!r} {value:.3f}; {expected:.3f} within {TOLERANCE} is expected")


def _most_unlisted(listed: Sequence[Entry], kept: Sequence[Entry]) -> float:
    """Most that a candidate outside the list can have: nothing if the list shows every survivor."""
    return float(listed[-1]["prob"]) if listed and len(kept) == len(listed) else 0.0


def _by_text(candidates: Sequence[Entry]) -> dict[str, list[float]]:
    """Probabilities by text, highest first: several tokens may have the same one."""
    grouped: defaultdict[str, list[float]] = defaultdict(list)
    for candidate in candidates:
        grouped[candidate["tok_str"]].append(candidate["prob"])
    return grouped


def _without_mistake(candidates: Sequence[Entry]) -> list[Entry]:
    return [candidate for candidate in candidates if candidate["tok_str"] != _PENALISED_BY_MISTAKE]


def _is_penalised(body: Mapping[str, Any]) -> bool:
    return any(
        body.get(option, default) != off
        for option, default, off in (
            ("repeat_penalty", 1.1, 1),
            ("frequency_penalty", 0, 0),
            ("presence_penalty", 0, 0),
        )
    )


def _aligned(items: Sequence[Entry], recorded: Sequence[Entry]) -> list[Entry]:
    """The items without those that end inside a character and have no recorded counterpart at their place."""
    kept: list[Entry] = []
    for item in items:
        counterpart = recorded[len(kept)]["content"] if len(kept) < len(recorded) else None
        if item["content"] == counterpart or not _may_end_inside_character(item["content"]):
            kept.append(item)
    return kept


def _may_end_inside_character(text: str) -> bool:
    return text.startswith("byte: \\x") or text.endswith("\ufffd")
