"""Writes the Python code of ``protos/`` and the tables of its options, or checks that they are up to date.

Run it as ``make generate``: it needs the packages of ``requirements/generate.txt``, which have an environment of
their own.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools.option_facts import declared_options, page_table, python_table, python_types

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PACKAGE = Path("slotline/v1")
STUBS = Path("clients/python/src") / PACKAGE
HANDWRITTEN = {"__init__.py", "py.typed"}
#: Tables of the options, and what writes each.
TABLES = {
    Path("clients/python/src/slotline/options/table.py"): python_table,
    Path("clients/python/src/slotline/options/plain_options.py"): python_types,
    Path("rest_adapter/web/page/state/option_facts.js"): page_table,
}


def main() -> int:
    """Generates, or with ``--check`` compares. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Generate the Python code of the gRPC contract.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the committed code is stale")
    arguments = parser.parse_args()
    wanted = _generate()
    if arguments.check:
        stale = _differences(wanted, _committed())
        if stale:
            print("error: what is generated does not match protos/:", *stale, sep="\n  ", file=sys.stderr)
            print("run `make generate` and commit the result", file=sys.stderr)
        return 1 if stale else 0
    for path in _committed().keys() - wanted.keys():
        (ROOT / path).unlink()
    for path, content in wanted.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_bytes(content)
    print(f"{len(wanted)} files written to {', '.join(sorted({str(path.parent) for path in wanted}))}")
    return 0


def _generate() -> dict[Path, bytes]:
    """Runs the compiler. Returns paths of files, from the root of the repository, and contents."""
    protos = sorted(path.relative_to(PROTOS) for path in (PROTOS / PACKAGE).glob("*.proto"))
    if not protos:
        raise SystemExit(f"error: no .proto files in {PROTOS / PACKAGE}")
    plugin = shutil.which("protoc-gen-mypy", path=str(Path(sys.executable).parent))
    grpc_plugin = shutil.which("protoc-gen-mypy_grpc", path=str(Path(sys.executable).parent))
    if plugin is None or grpc_plugin is None:
        raise SystemExit("error: mypy-protobuf is not installed in this environment; run `make generate`")
    with tempfile.TemporaryDirectory(prefix="slotline-generate-") as directory:
        outcome = subprocess.run(
            [
                *(sys.executable, "-m", "grpc_tools.protoc", "--proto_path=."),
                *(f"--plugin=protoc-gen-mypy={plugin}", f"--plugin=protoc-gen-mypy_grpc={grpc_plugin}"),
                *(f"--python_out={directory}", f"--grpc_python_out={directory}"),
                *(f"--mypy_out=quiet:{directory}", f"--mypy_grpc_out=quiet:{directory}"),
                *map(str, protos),
            ],
            cwd=PROTOS,
            check=False,
        )
        if outcome.returncode:
            # The compiler has said on stderr what is wrong.
            raise SystemExit(outcome.returncode)
        made = {path.name: path.read_bytes() for path in (Path(directory) / PACKAGE).iterdir()}
        tables = _tables(directory)
    # Files of protos without services: nothing but imports.
    stubs = {name: data for name, data in made.items() if "_pb2_grpc." not in name or _has_service(name)}
    return {STUBS / name: data for name, data in stubs.items()} | tables


def _tables(directory: str) -> dict[Path, bytes]:
    """The tables of the options, read from the descriptors that were just generated into ``directory``."""
    sys.path.insert(0, directory)
    try:
        generation, options = (importlib.import_module(f"slotline.v1.{name}_pb2") for name in ("generation", "options"))
    finally:
        sys.path.remove(directory)
    declared = declared_options(generation, options)
    return {path: write(declared).encode() for path, write in TABLES.items()}


def _has_service(name: str) -> bool:
    proto = PROTOS / PACKAGE / (name.split("_pb2_grpc.")[0] + ".proto")
    return any(line.startswith("service ") for line in proto.read_text().splitlines())


def _committed() -> dict[Path, bytes]:
    stubs = [path for path in (ROOT / STUBS).glob("*") if path.is_file() and path.name not in HANDWRITTEN]
    tables = [ROOT / path for path in TABLES if (ROOT / path).exists()]
    return {path.relative_to(ROOT): path.read_bytes() for path in (*stubs, *tables)}


def _differences(wanted: Mapping[Path, bytes], committed: Mapping[Path, bytes]) -> list[str]:
    return sorted(
        [f"{name} is missing" for name in wanted.keys() - committed.keys()]
        + [f"{name} is left over" for name in committed.keys() - wanted.keys()]
        + [f"{name} differs" for name in wanted.keys() & committed.keys() if wanted[name] != committed[name]]
    )


if __name__ == "__main__":
    sys.exit(main())
