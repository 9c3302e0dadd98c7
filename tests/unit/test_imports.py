"""The direction of imports: who may know whom. The reasons are in CONTRIBUTING.md, "Where code goes".

And what is imported from elsewhere is what the distributions declare.
"""

from __future__ import annotations

import ast
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
PROJECT = ("service", "rest_adapter", "slotline", "bench", "tests", "tools")

COMMON = ("service.errors", "service.config", "slotline.protocol.excerpt")
ALLOWED = {
    "service.sampling": ("service.sampling", "slotline.options"),
    "service.engine": ("service.engine", "service.sampling", "slotline.protocol.reasons", *COMMON),
    "service.prompts": ("service.prompts", "service.engine", *COMMON),
    "service.llama": ("service.llama", "service.engine", "service.sampling", "service.model_facts", *COMMON),
    "service.testing": ("service.testing", "service.engine", "service.sampling", *COMMON),
    "service.api": ("service", "slotline.v1", "slotline.options", "slotline.protocol"),
    "rest_adapter": ("rest_adapter", "slotline.v1", "slotline.options", "slotline.protocol"),
    "slotline.cli": ("slotline.cli", "slotline.v1", "slotline.protocol", "slotline.options", "service", "rest_adapter"),
    "slotline.client": ("slotline.client", "slotline.v1", "slotline.options", "slotline.protocol"),
    "slotline.options": ("slotline.options",),
    "slotline.protocol": ("slotline.protocol",),
}
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


#: Packages and their rooms: each may import those after it, and the modules beside them, which import none of them.
ROOMS = {
    "service.api": ("server", "servicers", "core", "metrics", "guard", "rpc", "listen", "convert"),
    "rest_adapter": ("rest_server", "app", "apis", "files", "openapi", "core", "http", "json"),
}


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


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    own = [(module, name) for module, name in IMPORTS if _within(module, package)]
    assert own, f"{package} has no imports at all: has it moved?"
    wrong = [
        f"{module} imports {name}"
        for module, name in own
        if any(_within(name, root) for root in PROJECT)
        and not any(_within(name, allowed) for allowed in ALLOWED[package])
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_import_downwards_only(package: str) -> None:
    ranks = {room: rank for rank, room in enumerate(ROOMS[package])}

    def rank(module: str) -> int:
        return ranks.get(module.removeprefix(f"{package}.").split(".")[0], len(ranks))

    own = [pair for pair in IMPORTS if all(_within(name, package) for name in pair)]
    assert all(any(_within(module, f"{package}.{room}") for module in MODULES) for room in ranks), "has a room moved?"
    assert [f"{module} imports {name}" for module, name in own if rank(name) < rank(module)] == []


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
