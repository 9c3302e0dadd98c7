"""What must agree between files that no compiler compares: locks, pyproject files, licences, generated code."""

from __future__ import annotations

import json
import os
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent.parent
REQUIREMENTS = ROOT / "requirements"
GENERATED = ROOT / "clients/python/src/slotline/v1"
SERVER = ROOT / "pyproject.toml"
CLIENT = ROOT / "clients/python/pyproject.toml"

LOCKS = sorted(path.name for path in REQUIREMENTS.glob("*.txt"))
INPUTS = sorted(path for path in REQUIREMENTS.glob("*.in") if not path.name.startswith("excludes-"))
SHARED_ENVIRONMENT = ("build.txt", "lock.txt", "test.txt")


def _project(path: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads(path.read_text())["project"]
    return project


def _entries(lock: str) -> list[str]:
    """The lock's entries, each with its continuation lines."""
    text = "\n".join(
        line for line in (REQUIREMENTS / lock).read_text().splitlines() if not line.lstrip().startswith("#")
    )
    return [entry for entry in text.replace("\\\n", " ").splitlines() if entry.strip()]


def _pins(lock: str) -> dict[str, str]:
    """The versions by package name that the lock has for this Python."""
    requirements = [Requirement(entry.split(" --hash=")[0]) for entry in _entries(lock)]
    return {
        canonicalize_name(entry.name): next(iter(entry.specifier)).version
        for entry in requirements
        if entry.marker is None or entry.marker.evaluate()
    }


def _wanted(path: Path) -> list[Requirement]:
    """The requirements of an input file, or of a pyproject file with its extras."""
    if path.suffix == ".toml":
        project = _project(path)
        extras = project.get("optional-dependencies", {}).values()
        lines = [*project["dependencies"], *(line for extra in extras for line in extra)]
    else:
        lines = [line for line in path.read_text().splitlines() if re.match(r"\w", line)]
    return [Requirement(line) for line in lines]


def _unmet(wanted: list[Requirement], pins: dict[str, str]) -> list[str]:
    applicable = [entry for entry in wanted if entry.marker is None or entry.marker.evaluate({"extra": ""})]
    return [
        f"{entry} (locked: {pins.get(canonicalize_name(entry.name))})"
        for entry in applicable
        if canonicalize_name(entry.name) not in pins
        or not entry.specifier.contains(pins[canonicalize_name(entry.name)], prereleases=True)
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place_to_download_from(lock: str) -> None:
    text = (REQUIREMENTS / lock).read_text()
    assert not re.findall(r"://|^\s*-.*|\S+ @ \S+", text.replace("    --hash=", ""), re.MULTILINE)


@pytest.mark.parametrize("folder", ["tests/node", "tests/web", "tools/web", "clients/typescript"])
def test_locks_of_node_packages_name_none_either_and_are_exact(folder: str) -> None:
    package = json.loads((ROOT / folder / "package.json").read_text())
    locked = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    root = locked.pop("")
    # Only a package that others install has dependencies of its own.
    kinds = ("devDependencies", *(("dependencies",) if folder.startswith("clients/") else ()))
    assert [kind for kind in ("dependencies", "devDependencies") if kind in package] == sorted(kinds)
    for kind in kinds:
        wanted = package[kind]
        assert root[kind] == wanted
        assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    for entry in locked.values():
        assert entry["integrity"].startswith("sha512-")
        assert "://" not in json.dumps(entry)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_of_a_lock_is_exact_and_has_hashes(lock: str) -> None:
    entries = _entries(lock)
    assert entries
    assert [entry for entry in entries if not re.match(r"[\w.-]+==[\w.]+ ", entry)] == []
    assert [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)] == []


@pytest.mark.parametrize(
    ("source", "lock"),
    [
        *((source, f"{source.stem}.txt") for source in INPUTS),
        (SERVER, "lock.txt"),
        (CLIENT, "lock.txt"),
    ],
    ids=lambda value: str(value.relative_to(ROOT)) if isinstance(value, Path) else value,
)
def test_a_lock_satisfies_its_source(source: Path, lock: str) -> None:
    wanted = [entry for entry in _wanted(source) if entry.name != "slotline-client"]
    assert wanted
    assert _unmet(wanted, _pins(lock)) == []


@pytest.mark.parametrize("path", [SERVER, CLIENT], ids=["server", "client"])
def test_build_backends_are_locked(path: Path) -> None:
    wanted = [Requirement(line) for line in tomllib.loads(path.read_text())["build-system"]["requires"]]
    assert _unmet(wanted, _pins("build.txt")) == []


def test_locks_of_one_environment_agree() -> None:
    merged: dict[str, str] = {}
    for lock in SHARED_ENVIRONMENT:
        pins = _pins(lock)
        assert {name: merged[name] for name in pins.keys() & merged.keys()} == {
            name: pins[name] for name in pins.keys() & merged.keys()
        }
        merged |= pins


@pytest.mark.parametrize("name", ["lock", "test"])
def test_a_lock_is_complete(name: str) -> None:
    """Locks are installed without looking at dependencies, so whatever a package needs must be in them."""
    excluded = {entry.name for entry in _wanted(REQUIREMENTS / f"excludes-{name}.in")}
    pins = _pins(f"{name}.txt")
    available = _pins("lock.txt") | pins
    unmet = {
        package: missing
        for package in pins
        if (missing := _unmet([entry for entry in _needs(package) if entry.name not in excluded], available))
    }
    assert unmet == {}


def _needs(distribution: str) -> list[Requirement]:
    """What an installed package requires, extras aside."""
    return [Requirement(line) for line in metadata.requires(distribution) or []]


def test_server_and_client_are_released_together() -> None:
    version = _project(SERVER)["version"]
    assert _project(CLIENT)["version"] == version
    assert f"slotline-client=={version}" in _project(SERVER)["dependencies"]


def test_changelog_has_a_section_for_what_comes_next() -> None:
    assert re.search(r"^## \[Unreleased\]$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_both_distributions_carry_the_same_license() -> None:
    assert (ROOT / "clients/python/LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("folder", ["slotline", "clients/python/src/slotline"])
def test_slotline_is_a_namespace_that_two_distributions_share(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert not (ROOT / folder / "__init__.py").exists()


def test_clients_may_have_the_runtime_that_the_generated_code_asks_for() -> None:
    """A floor below the generator's version would let a client install what cannot import the stubs."""
    floors = {entry.name: next(s.version for s in entry.specifier if s.operator == ">=") for entry in _wanted(CLIENT)}
    messages = {
        re.search(r"^# Protobuf Python Version: (\S+)$", path.read_text(), re.MULTILINE)[1]  # type: ignore[index]
        for path in GENERATED.glob("*_pb2.py")
    }
    stubs = {
        re.search(r"^GRPC_GENERATED_VERSION = '(\S+)'$", path.read_text(), re.MULTILINE)[1]  # type: ignore[index]
        for path in GENERATED.glob("*_pb2_grpc.py")
    }
    assert messages == {floors["protobuf"]}
    assert stubs == {floors["grpcio"]}


def test_ci_entry_point_can_be_executed() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)
