"""The direction of imports: who may know whom, as docs/inside/architecture.md tells it.

And what is imported from elsewhere is what the distributions declare.
"""

from __future__ import annotations

import re
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.document_rooms import ARCHITECTURE, IMPORTS, MODULES, ROOMS, imported_rooms, room_of, within

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = ("service", "rest_adapter", "slotline", "bench", "tests", "tools")

ONLY_IN = {
    "llama_cpp": ("service.llama",),
    "flask": ("rest_adapter",),
    "gevent": ("rest_adapter", "slotline.cli"),
    "grpc": ("service.api", "rest_adapter", "slotline.cli", "slotline.client", "slotline.v1"),
    "jinja2": ("service.prompts",),
    "llguidance": ("service.constraints",),
    "PIL": ("service.media",),
}
DISTRIBUTIONS = {
    "pyproject.toml": ("service", "rest_adapter", "slotline.cli"),
    "clients/python/pyproject.toml": ("slotline.client", "slotline.options", "slotline.protocol", "slotline.v1"),
}
#: Libraries that pure modules reach on no way; see ``_is_pure``.
IO_LIBRARIES = ("flask", "gevent", "socket")


def _modules_run(module: str, name: str) -> Iterator[str]:
    """The modules of ours that run when a module imports a name: the one named, and packages that it is in."""
    while name:
        if name in MODULES and not within(module, name):
            yield name
        name = name.rpartition(".")[0]


GRAPH: dict[str, set[str]] = {module: set() for module in MODULES}
for _module, _name in IMPORTS:
    GRAPH[_module].update(_modules_run(_module, _name))


def test_every_module_has_a_room() -> None:
    assert len(ROOMS) > 20
    assert [place for place in ROOMS if place not in MODULES] == []
    homeless = [module for module in MODULES if room_of(module) is None]
    assert [module for module in homeless if not any(within(place, module) for place in ROOMS)] == []


@pytest.mark.parametrize("room", sorted({room for room, _ in ROOMS.values()}))
def test_a_room_imports_what_the_table_says(room: str) -> None:
    assert imported_rooms(room) == ROOMS[room][1], "if that is meant, run `make docs`"


def test_rooms_import_from_above_in_the_table_only() -> None:
    order = list(dict.fromkeys(room for room, _ in ROOMS.values()))
    assert {
        room: below for room, imported in ROOMS.values() if (below := imported - set(order[: order.index(room)]))
    } == {}


def test_the_rooms_of_the_core_are_drawn() -> None:
    drawing = ARCHITECTURE.read_text().split("## ", 1)[0]
    drawn = [name for name in re.findall(r"\| (\w+) {2,}", drawing) if f"service.{name}" in MODULES]
    rooms = {path.parent.name for path in (ROOT / "service").glob("*/__init__.py")}
    assert set(drawn) == rooms - {"testing"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Nor inside of functions: what needs that would break as soon as somebody imports it in another order."""
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_only_where_it_belongs(library: str) -> None:
    users = [(module, name) for module, name in IMPORTS if within(name, library)]
    assert users, f"nobody imports {library}: is it still a dependency?"
    wrong = [
        f"{module} imports {name}"
        for module, name in users
        if not any(within(module, package) for package in ONLY_IN[library])
    ]
    assert wrong == []


def _is_pure(module: str) -> bool:
    """Whether a module of an API may do no input and output: all but routes, and what they share."""
    return (
        within(module, "rest_adapter.apis")
        and not within(module, "rest_adapter.apis.serving")
        and module.rpartition(".")[2] not in ("route", "routes")
    )


def _reachable(module: str) -> set[str]:
    """A module and all of ours that it imports, themselves or through others."""
    found, waiting = {module}, [module]
    while waiting:
        new = GRAPH[waiting.pop()] - found
        found |= new
        waiting.extend(new)
    return found


def test_pure_modules_do_no_input_or_output() -> None:
    pure = [module for module in MODULES if _is_pure(module)]
    assert len(pure) > 20
    doing_io = {module for module, name in IMPORTS if any(within(name, library) for library in IO_LIBRARIES)}
    assert {module: found for module in pure if (found := _reachable(module) & doing_io)} == {}


@pytest.mark.parametrize("project", DISTRIBUTIONS)
def test_a_distribution_declares_the_libraries_that_it_imports_and_no_others(project: str) -> None:
    declared = {
        canonicalize_name(Requirement(line).name)
        for line in tomllib.loads((ROOT / project).read_text())["project"]["dependencies"]
    } - {"slotline-client"}
    providers = metadata.packages_distributions()
    imported = {
        name.split(".")[0]
        for module, name in IMPORTS
        if any(within(module, package) for package in DISTRIBUTIONS[project])
    } - {*sys.stdlib_module_names, *PROJECT}
    provided = {name: {canonicalize_name(provider) for provider in providers.get(name, ())} for name in imported}
    assert {name: found for name, found in provided.items() if not found & declared} == {}, "imported, not declared"
    assert declared - set().union(*provided.values()) == set(), "declared, not imported"
