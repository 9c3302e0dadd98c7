"""Writes the Python code of ``protos/`` to ``clients/python``, or checks that it is up to date.

Run it as ``make generate``: it needs the packages of ``requirements/generate.txt``, which have an environment of
their own.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PACKAGE = Path("slotline/v1")
TARGET = ROOT / "clients/python/src" / PACKAGE
HANDWRITTEN = {"__init__.py", "py.typed"}


def main() -> int:
    """Generates, or with ``--check`` compares. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Generate the Python code of the gRPC contract.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the committed code is stale")
    arguments = parser.parse_args()
    wanted = _generate()
    if arguments.check:
        stale = _differences(wanted, _committed())
        if stale:
            print(
                f"error: {TARGET.relative_to(ROOT)} does not match protos/:",
                *stale,
                sep="\n  ",
                file=sys.stderr,
            )
            print("run `make generate` and commit the result", file=sys.stderr)
        return 1 if stale else 0
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in _committed().keys() - wanted.keys():
        (TARGET / name).unlink()
    for name, content in wanted.items():
        (TARGET / name).write_bytes(content)
    print(f"{len(wanted)} files written to {TARGET.relative_to(ROOT)}")
    return 0


def _generate() -> dict[str, bytes]:
    """Runs the compiler. Returns file names and contents."""
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
    # Files of protos without services: nothing but imports.
    return {name: data for name, data in made.items() if "_pb2_grpc." not in name or _has_service(name)}


def _has_service(name: str) -> bool:
    proto = PROTOS / PACKAGE / (name.split("_pb2_grpc.")[0] + ".proto")
    return any(line.startswith("service ") for line in proto.read_text().splitlines())


def _committed() -> dict[str, bytes]:
    files = [path for path in TARGET.glob("*") if path.is_file() and path.name not in HANDWRITTEN]
    return {path.name: path.read_bytes() for path in files}


def _differences(wanted: Mapping[str, bytes], committed: Mapping[str, bytes]) -> list[str]:
    return sorted(
        [f"{name} is missing" for name in wanted.keys() - committed.keys()]
        + [f"{name} is left over" for name in committed.keys() - wanted.keys()]
        + [f"{name} differs" for name in wanted.keys() & committed.keys() if wanted[name] != committed[name]]
    )


if __name__ == "__main__":
    sys.exit(main())
