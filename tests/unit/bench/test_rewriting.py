"""What benchmarks compile behaves like what it was made of."""

from __future__ import annotations

from typing import Any

import pytest

from bench.compiled.rewriting import rewrite

SOURCE = '''from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Point:
    """A point."""

    x: int
    y: int = 3
    names: list[str] = field(default_factory=list)

    @property
    def sum(self) -> int:
        """Both."""
        return self.x + self.y


@dataclass(slots=True, eq=False)
class Derived:
    base: int
    twice: int = field(init=False)

    def __post_init__(self) -> None:
        self.twice = 2 * self.base


@dataclass(frozen=True)
class Kept:
    x: int = 1


@runtime_checkable
class Checked(Protocol):
    """A protocol."""


class Refused(ValueError):
    """An error."""
'''


@pytest.fixture
def module() -> dict[str, Any]:
    # dataclasses look for the module of a class among those that are imported.
    names: dict[str, Any] = {"__name__": __name__}
    exec(rewrite(SOURCE, frozenset(("Kept",))), names)
    return names


def test_a_class_takes_and_keeps_what_its_dataclass_did(module: dict[str, Any]) -> None:
    point = module["Point"](1)
    assert (point.x, point.y, point.names, point.sum) == (1, 3, [], 4)
    assert point.names is not module["Point"](1).names
    assert module["Point"](1, y=2, names=["a"]).names == ["a"]


def test_it_is_compared_as_before(module: dict[str, Any]) -> None:
    point, derived = module["Point"], module["Derived"]
    assert point(1) == point(1, 3)
    assert point(1) != point(2)
    assert derived(1) != derived(1)


def test_fields_that_are_not_arguments_are_set_afterwards(module: dict[str, Any]) -> None:
    assert module["Derived"](4).twice == 8


def test_only_what_is_kept_is_a_dataclass(module: dict[str, Any]) -> None:
    assert hasattr(module["Kept"], "__dataclass_fields__")
    assert not any(hasattr(module[name], "__dataclass_fields__") for name in ("Point", "Derived"))


def test_what_cannot_be_compiled_is_marked_or_gone(module: dict[str, Any]) -> None:
    assert "@mypyc_attr(native_class=False)\nclass Refused(ValueError):" in rewrite(SOURCE, frozenset())
    assert not getattr(module["Checked"], "_is_runtime_protocol", False)
