"""Servers that differ in one setting or several: ``--set prefill_budget_ms=50,100`` on the command line."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, get_type_hints

from bench.harness.errors import BenchError
from service.config import EngineConfig, Lookup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.simulation.simulation import Server

_CELLS = "n_cells"
_HINTS = get_type_hints(EngineConfig)
#: Names that can be set: the fields of ``EngineConfig``, and the cells that all slots share.
SETTINGS = (*(field.name for field in dataclasses.fields(EngineConfig)), _CELLS)


def variants(server: Server, assignments: Sequence[str]) -> dict[str, Server]:
    """All combinations of values, by what distinguishes them.

    Without ``n_cells`` there is a cell for every token of every slot's context.

    Args:
        server: what they have in common.
        assignments: each ``name=value`` or ``name=value,value,...``.

    Raises:
        BenchError: a setting is unknown, or a value is not of its type.
    """
    choices = [_choices(assignment) for assignment in assignments]
    found = {}
    for combination in itertools.product(*choices):
        # Settings with a single value distinguish nothing.
        named = [
            f"{name}={value}"
            for (name, value), options in zip(combination, choices, strict=True)
            if len(options) > 1 or len(choices) == 1
        ]
        found[" ".join(named) or "result"] = _changed(server, dict(combination))
    return found


def _changed(server: Server, values: dict[str, object]) -> Server:
    n_cells = values.pop(_CELLS, None)
    config = dataclasses.replace(server.config, **values)  # type: ignore[arg-type]
    cells = n_cells if isinstance(n_cells, int) else config.n_slots * config.n_ctx_slot
    return dataclasses.replace(server, config=config, n_cells=cells)


def _choices(assignment: str) -> list[tuple[str, object]]:
    name, equals, values = assignment.partition("=")
    if name not in SETTINGS or not equals:
        raise BenchError(f"--set: {assignment!r} is not NAME=VALUE[,VALUE...] with a NAME of {', '.join(SETTINGS)}")
    return [(name, _value(name, value)) for value in values.split(",")]


def _value(name: str, text: str) -> object:
    kind = int if name == _CELLS else _HINTS[name]
    try:
        if kind is Lookup:
            return Lookup(text.lower())
        if text.lower() == "none" and kind == int | None:
            return None
        return float(text) if kind is float else int(text)
    except ValueError:
        allowed = {Lookup: ", ".join(when.value for when in Lookup), float: "a number", int: "a whole number"}
        raise BenchError(
            f"--set: {name} is {text!r}; allowed is {allowed.get(kind, 'a whole number or none')}"
        ) from None
