"""The two distributions as they would be published: what the wheels hold, and that they work side by side."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels by distribution name."""
    directory = tmp_path_factory.mktemp("wheels")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"),
            *("--wheel-dir", str(directory), str(ROOT / "clients/python"), str(ROOT)),
        ],
        check=True,
    )
    return {path.name.split("-")[0]: path for path in directory.glob("*.whl")}


def _files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def _sources(*folders: str, base: Path = ROOT) -> set[str]:
    return {
        str(path.relative_to(base))
        for folder in folders
        for path in (base / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_server_wheel_holds_its_packages_and_nothing_else(wheels: dict[str, Path]) -> None:
    scripted_model = _sources("service/testing")
    assert scripted_model, "the scripted model has moved"
    assert _files(wheels["slotline"]) == _sources("service", "rest_adapter", "slotline") - scripted_model


def test_page_files_are_in_wheel_and_sdist(wheels: dict[str, Path], tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    page = _sources("rest_adapter/web")
    assert {"rest_adapter/web/index.html", "rest_adapter/web/vendor/LICENSES.txt"} <= page
    assert page <= _files(wheels["slotline"])
    assert page <= packed


def test_the_client_wheel_holds_stubs_and_client_and_nothing_else(wheels: dict[str, Path]) -> None:
    assert _files(wheels["slotline_client"]) == _sources("slotline", base=ROOT / "clients/python/src")


def test_the_client_wheel_is_typed(wheels: dict[str, Path]) -> None:
    typed = {f"slotline/{package}/py.typed" for package in ("v1", "client", "options", "protocol")}
    assert typed <= _files(wheels["slotline_client"])


@pytest.mark.parametrize("name", ["slotline", "slotline_client"])
def test_a_wheel_carries_its_license(wheels: dict[str, Path], name: str) -> None:
    with zipfile.ZipFile(wheels[name]) as archive:
        license_file = next(entry for entry in archive.namelist() if entry.endswith("licenses/LICENSE"))
        assert archive.read(license_file) == (ROOT / "LICENSE").read_bytes()


def test_both_wheels_form_one_namespace(wheels: dict[str, Path], tmp_path: Path) -> None:
    for wheel in wheels.values():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tmp_path)
    modules = ["slotline.v1.generation_pb2", "slotline.client", "slotline.cli.main", "service", "rest_adapter"]
    program = f"import importlib; [print(importlib.import_module(name).__file__) for name in {modules}]"
    outcome = subprocess.run(
        [sys.executable, "-P", "-c", program],
        # Before the editable installs of this environment.
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    files = outcome.stdout.splitlines()
    assert len(files) == len(modules)
    assert [file for file in files if not Path(file).is_relative_to(tmp_path)] == []
