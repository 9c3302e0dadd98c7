"""Collects differences, and compares the shapes of JSON values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection


class Findings:
    """What one comparison found.

    Attributes:
        differences: what is wrong.
        explained: what differs and is allowed to, with the reason.
    """

    def __init__(self) -> None:
        self.differences: list[str] = []
        self.explained: list[str] = []

    def differ(self, place: str, problem: str) -> None:
        """Note something wrong."""
        self.differences.append(f"{place} {problem}")

    def explain(self, place: str, reason: str) -> None:
        """Note an allowed difference."""
        self.explained.append(f"{place.removeprefix('.')}: {reason}")

    def expect_equal(self, place: str, expected: object, actual: object) -> bool:
        """Note a difference unless both are the same value of the same type; returns whether they are."""
        same = type(expected) is type(actual) and expected == actual
        if not same:
            self.differ(place, f"is {_short(actual)}; {_short(expected)} is expected")
        return same

    def expect_shape(
        self,
        place: str,
        expected: Any,
        actual: Any,
        *,
        type_only: Collection[str] = (),
        ignored: Collection[str] = (),
    ) -> bool:
        """Note where keys or JSON types differ; returns whether nothing did.

        Elements of an array must all look like the first one expected. Where null is expected, a number may stand.

        Args:
            place: path of the values in the answer.
            expected: the recorded value.
            actual: the answer's value.
            type_only: keys whose values need the right type but are not looked into, at any depth.
            ignored: keys whose values may be anything, at any depth.
        """
        before = len(self.differences)
        wanted, given = type_name(expected), type_name(actual)
        if wanted == "null":
            # The reference wrote null for what it got by dividing by zero.
            if given not in ("null", "float"):
                self.differ(place, f"is of type {given}; null or float is expected")
        elif wanted != given:
            self.differ(place, f"is of type {given}; {wanted} is expected")
        elif isinstance(expected, dict):
            for key in sorted(expected.keys() - actual.keys()):
                self.differ(f"{place}.{key}", "is missing")
            for key in sorted(actual.keys() - expected.keys()):
                self.differ(f"{place}.{key}", "is not expected")
            for key in sorted((expected.keys() & actual.keys()) - set(ignored)):
                where = f"{place}.{key}"
                if key not in type_only:
                    self.expect_shape(where, expected[key], actual[key], type_only=type_only, ignored=ignored)
                elif type_name(expected[key]) != type_name(actual[key]):
                    self.differ(where, f"is of type {type_name(actual[key])}; {type_name(expected[key])} is expected")
        elif isinstance(expected, list) and expected:
            for number, element in enumerate(actual):
                self.expect_shape(f"{place}[{number}]", expected[0], element, type_only=type_only, ignored=ignored)
        return len(self.differences) == before


def type_name(value: object) -> str:
    """JSON type of a decoded value; whole numbers and others are told apart, as the recorded server did."""
    names = {bool: "boolean", int: "integer", float: "float", str: "string", list: "array", dict: "object"}
    return "null" if value is None else names[type(value)]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
