"""Writes what each room imports into the table of ``docs/inside/architecture.md``.

Run it as ``make docs``, and look at what it changed: rooms import rooms above them in the table and no others, which
``tests/unit/test_imports.py`` checks.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
ARCHITECTURE = ROOT / "docs/inside/architecture.md"
SOURCES = {
    "service": ROOT / "service",
    "rest_adapter": ROOT / "rest_adapter",
    "slotline.cli": ROOT / "slotline/cli",
    "slotline.client": ROOT / "clients/python/src/slotline/client",
    "slotline.options": ROOT / "clients/python/src/slotline/options",
    "slotline.protocol": ROOT / "clients/python/src/slotline/protocol",
    "slotline.v1": ROOT / "clients/python/src/slotline/v1",
}
_ROW = re.compile(r"\| (`[\w/`., ]+`) \|([^|\n]+)\|([^|\n]*)\|")


def within(module: str, package: str) -> bool:
    """Whether a module, or a name in one, is in a package."""
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


MODULES = dict(_modules())
IMPORTS = sorted(set(_imports()))


def read_rooms() -> dict[str, tuple[str, set[str]]]:
    """The table of docs/inside/architecture.md: by package or module its room, and the rooms that this one imports.

    A room has the name of its first package or module.
    """
    rooms: dict[str, tuple[str, set[str]]] = {}
    for line in ARCHITECTURE.read_text().splitlines():
        if (row := _ROW.fullmatch(line)) is not None:
            members, imported = ([_module(path) for path in re.findall("`([^`]+)`", cell)] for cell in row.group(1, 3))
            rooms.update(dict.fromkeys(members, (members[0], set(imported))))
    return rooms


def _module(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


ROOMS = read_rooms()


def room_of(module: str) -> str | None:
    """The room of a module, or of a name in one; None for the packages that hold the rooms, and for libraries."""
    places = [place for place in ROOMS if within(module, place)]
    return ROOMS[max(places, key=len)][0] if places else None


def imported_rooms(room: str) -> set[str]:
    """The rooms that the modules of a room import."""
    return {other for module, name in IMPORTS if room_of(module) == room and (other := room_of(name))} - {room}


def with_imports(page: str) -> str:
    """The page with the last column of its table replaced."""
    paths = {_module(path): path for path in re.findall("`([^`]+)`", page)}
    order = list(dict.fromkeys(room for room, _ in ROOMS.values()))

    def row(match: re.Match[str]) -> str:
        members, purpose = match.group(1, 2)
        imported = sorted(imported_rooms(ROOMS[_module(members.split("`")[1])][0]), key=order.index)
        cell = ", ".join(f"`{paths[room]}`" for room in imported)
        return f"| {members} |{purpose}| {cell} |" if cell else f"| {members} |{purpose}| |"

    return _ROW.sub(row, page)


def main() -> int:
    """Write the table. Returns the exit code."""
    ARCHITECTURE.write_text(with_imports(ARCHITECTURE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
