"""The direction of imports: who may know whom, as docs/inside/architecture.md tells it.

And what is imported from elsewhere is what the distributions declare.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES = {
    "service": ROOT / "service",
    "rest_adapter": ROOT / "rest_adapter",
    "slotline.cli": ROOT / "slotline/cli",
    "slotline.client": ROOT / "clients/python/src/slotline/client",
    "slotline.options": ROOT / "clients/python/src/slotline/options",
    "slotline.protocol": ROOT / "clients/python/src/slotline/protocol",
    "slotline.v1": ROOT / "clients/python/src/slotline/v1",
}
#: What each room may import.
ARCHITECTURE = ROOT / "docs/inside/architecture.md"
PROJECT = ("service", "rest_adapter", "slotline", "bench", "tests", "tools")

ONLY_IN = {
    "llama_cpp": ("service.llama",),
    "flask": ("rest_adapter",),
    "gevent": ("rest_adapter", "slotline.cli"),
    "grpc": ("service.api", "rest_adapter", "slotline.cli", "slotline.client", "slotline.v1"),
    "jinja2": ("service.prompts",),
}
DISTRIBUTIONS = {
    "pyproject.toml": ("service", "rest_adapter", "slotline.cli"),
    "clients/python/pyproject.toml": ("slotline.client", "slotline.options", "slotline.protocol", "slotline.v1"),
}
#: Libraries that pure modules reach on no way; see ``_is_pure``.
IO_LIBRARIES = ("flask", "gevent", "socket")


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def _modules() -> Iterator[tuple[str, Path]]:
    """All modules, and where they are."""
    for package, folder in SOURCES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            yield ".".join(part for part in parts if part != "__init__"), path


def _imports() -> Iterator[tuple[str, str]]:
    """Pairs of a module and a module that it imports, anywhere in its code."""
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((module, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{module} has a relative import; write the whole name"
                # `from service import errors` imports service.errors.
                yield from ((module, f"{node.module}.{name.name}") for name in node.names)
            elif isinstance(node, ast.Call) and (late := _imported_by_call(node)) is not None:
                yield module, late


def _imported_by_call(call: ast.Call) -> str | None:
    """The module that ``importlib.import_module("...")`` imports."""
    match call:
        case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]):
            return name
    return None


def _modules_run(module: str, name: str) -> Iterator[str]:
    """The modules of ours that run when a module imports a name: the one named, and packages that it is in."""
    while name:
        if name in MODULES and not _within(module, name):
            yield name
        name = name.rpartition(".")[0]


MODULES = dict(_modules())
IMPORTS = sorted(set(_imports()))
GRAPH: dict[str, set[str]] = {module: set() for module in MODULES}
for _module, _name in IMPORTS:
    GRAPH[_module].update(_modules_run(_module, _name))


def _rooms() -> dict[str, tuple[str, set[str]]]:
    """The table of docs/inside/architecture.md: by package or module its room, and the rooms that this one imports.

    A room has the name of its first package or module.
    """
    rooms: dict[str, tuple[str, set[str]]] = {}
    for line in ARCHITECTURE.read_text().splitlines():
        if (row := re.fullmatch(r"\| (`[\w/`., ]+`) \|[^|]+\|([^|]*)\|", line)) is not None:
            members, imported = ([_module(path) for path in re.findall("`([^`]+)`", cell)] for cell in row.groups())
            rooms.update(dict.fromkeys(members, (members[0], set(imported))))
    return rooms


def _module(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


ROOMS = _rooms()


def _room(module: str) -> str | None:
    """The room of a module, or of a name in one; None for the packages that hold the rooms, and for libraries."""
    places = [place for place in ROOMS if _within(module, place)]
    return ROOMS[max(places, key=len)][0] if places else None


def test_every_module_has_a_room() -> None:
    assert len(ROOMS) > 20
    assert [place for place in ROOMS if place not in MODULES] == []
    homeless = [module for module in MODULES if _room(module) is None]
    assert [module for module in homeless if not any(_within(place, module) for place in ROOMS)] == []


@pytest.mark.parametrize("room", sorted({room for room, _ in ROOMS.values()}))
def test_a_room_imports_what_the_table_says(room: str) -> None:
    found = {_room(name) for module, name in IMPORTS if _room(module) == room} - {None, room}
    assert found == ROOMS[room][1]


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
    users = [(module, name) for module, name in IMPORTS if _within(name, library)]
    assert users, f"nobody imports {library}: is it still a dependency?"
    wrong = [
        f"{module} imports {name}"
        for module, name in users
        if not any(_within(module, package) for package in ONLY_IN[library])
    ]
    assert wrong == []


def _is_pure(module: str) -> bool:
    """Whether a module of an API may do no input and output: all but routes, and what they share."""
    return (
        _within(module, "rest_adapter.apis")
        and not _within(module, "rest_adapter.apis.serving")
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
    doing_io = {module for module, name in IMPORTS if any(_within(name, library) for library in IO_LIBRARIES)}
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
        if any(_within(module, package) for package in DISTRIBUTIONS[project])
    } - {*sys.stdlib_module_names, *PROJECT}
    provided = {name: {canonicalize_name(provider) for provider in providers.get(name, ())} for name in imported}
    assert {name: found for name, found in provided.items() if not found & declared} == {}, "imported, not declared"
    assert declared - set().union(*provided.values()) == set(), "declared, not imported"
