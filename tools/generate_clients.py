"""Writes the code of ``protos/`` for the clients in other languages, or checks that it is up to date.

Run it as ``make generate`` or ``make check-generated``. Each language brings its own compiler or plugin: npm has the
one for TypeScript, Maven those for Java, and Go compiles its own. Where npm, Maven or Go is missing, a line says so and
that language is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf import any_pb2, descriptor_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2

from tools.client_options import java_options, typescript_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
TYPESCRIPT = ROOT / "clients/typescript"
JAVA = ROOT / "clients/java"
JAVA_OPTIONS = "dev/slotline/client/PlainOptions.java"
GO = ROOT / "clients/go"
#: What Maven calls this machine.
_PROCESSORS = {"x86_64": "x86_64", "aarch64": "aarch_64", "arm64": "aarch_64"}


@dataclass(frozen=True)
class Language:
    """A language and how its code is made.

    Attributes:
        name: for people.
        needs: the command without which its code cannot be made.
        root: the folder of its source code.
        owned: the folders and files there that are generated; nothing else is in such folders.
        generate: writes into a folder what belongs into ``root``, from the image of the protos.
    """

    name: str
    needs: str
    root: Path
    owned: tuple[str, ...]
    generate: Callable[[Path, Path], None]


def main() -> int:
    """Generates, or with ``--check`` compares. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Generate the code of the gRPC contract for other languages.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the committed code is stale")
    arguments = parser.parse_args()
    stale: list[str] = []
    with tempfile.TemporaryDirectory(prefix="slotline-generate-") as directory:
        image = Path(directory) / "image.binpb"
        image.write_bytes(_image().SerializeToString())
        for language in LANGUAGES:
            if problem := _missing(language.needs):
                print(f"note: {language.name} code is left out: {problem}", file=sys.stderr)
                continue
            made = Path(directory) / language.name
            made.mkdir()
            language.generate(image, made)
            stale += _differences(language, made) if arguments.check else _replace(language, made)
    if stale:
        print("error: what is generated does not match protos/:", *stale, sep="\n  ", file=sys.stderr)
        print("run `make generate` and commit the result", file=sys.stderr)
    return 1 if stale else 0


def _missing(command: str) -> str:
    """Why a command cannot be used; empty if it can."""
    if shutil.which(command) is None:
        return f"{command} is missing"
    if command == "go":
        # Older ones cannot fetch the version that a module asks for.
        version = subprocess.run(["go", "version"], capture_output=True, text=True, check=False).stdout
        if re.search(r" go1\.(2[1-9]|[3-9]\d)", version) is None:
            return f"{version.strip()} is older than 1.21"
    return ""


def _image() -> descriptor_pb2.FileDescriptorSet:
    """The contract with its comments, and the messages of others that calls also carry."""
    buf = Path(sys.executable).with_name("buf")
    with tempfile.NamedTemporaryFile(suffix=".binpb") as file:
        _run([str(buf), "build", str(PROTOS), "-o", file.name])
        image = descriptor_pb2.FileDescriptorSet.FromString(Path(file.name).read_bytes())
    have = {file.name for file in image.file}
    for module in (any_pb2, status_pb2, error_details_pb2, health_pb2):
        added = descriptor_pb2.FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
        # The Python package calls it by its own folder.
        added.name = added.name.replace("grpc_health/", "grpc/health/")
        if added.name not in have:
            image.file.append(added)
    return image


def _typescript(image: Path, made: Path) -> None:
    plugin = TYPESCRIPT / "node_modules/.bin/protoc-gen-es"
    if not plugin.exists():
        raise SystemExit(f"error: the packages of {TYPESCRIPT.name} are missing; run npm ci in {TYPESCRIPT}")
    (made / "gen").mkdir()
    options = {"local": str(plugin), "out": ".", "opt": ["target=ts", "import_extension=js"]}
    _buf_generate(image, made / "gen", options, ("slotline", "google/rpc", "grpc"))
    (made / "gen/plain_options.ts").write_text(typescript_options())
    contract = sorted(path.name for path in (made / "gen/slotline/v1").iterdir())
    modules = ["grpc/health/v1/health_pb.ts", *(f"slotline/v1/{name}" for name in contract)]
    exports = "".join(f'export * from "./{name.removesuffix(".ts")}.js";\n' for name in modules)
    note = "/** The contract `slotline.v1` as generated by `make generate`, and standard health. Do not edit. */\n"
    (made / "gen/v1.ts").write_text(note + exports)


def _java(image: Path, made: Path) -> None:
    system, processor = platform.system().lower(), platform.machine()
    target = f"{'osx' if system == 'darwin' else system}-{_PROCESSORS.get(processor, processor)}"
    folder = JAVA / "target/protoc"
    _run(
        [
            "mvn",
            "-q",
            "-B",
            "-Dstyle.color=never",
            "-f",
            str(JAVA),
            f"-Dprotoc.platform={target}",
            "dependency:copy@protoc",
        ]
    )
    for file in folder.iterdir():
        file.chmod(0o755)
    _run(
        [
            *(str(folder / "protoc.exe"), f"--plugin=protoc-gen-grpc-java={folder / 'protoc-gen-grpc-java.exe'}"),
            *(f"--descriptor_set_in={image}", f"--java_out={made}", f"--grpc-java_out={made}"),
            *sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("slotline/v1/*.proto")),
        ]
    )
    (made / JAVA_OPTIONS).parent.mkdir()
    (made / JAVA_OPTIONS).write_text(java_options())


def _go(image: Path, made: Path) -> None:
    plugins = ROOT / ".go-tools/plugins"
    packages = [line for line in (GO / "tools.txt").read_text().splitlines() if not line.startswith("#")]
    for package in packages:
        # Takes no time if it is there already.
        _run(["go", "install", package], environment={"GOBIN": str(plugins)})
        name = package.rpartition("/")[2].partition("@")[0]
        options = {"local": str(plugins / name), "out": ".", "opt": ["paths=source_relative"]}
        _buf_generate(image, made, options, ("slotline",))
    (made / "slotline/v1").rename(made / "slotlinev1")


LANGUAGES = (
    Language("Go", "go", GO, ("slotlinev1",), _go),
    Language("TypeScript", "npm", TYPESCRIPT / "src", ("gen",), _typescript),
    Language("Java", "mvn", JAVA / "src/main/java", ("dev/slotline/v1", JAVA_OPTIONS), _java),
)


def _buf_generate(image: Path, made: Path, plugin: Mapping[str, object], paths: tuple[str, ...]) -> None:
    template = json.dumps({"version": "v2", "plugins": [plugin]})
    buf = Path(sys.executable).with_name("buf")
    chosen = [argument for path in paths for argument in ("--path", path)]
    _run([str(buf), "generate", str(image), "--template", template, "-o", str(made), *chosen])


def _run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    if code := subprocess.run(command, check=False, env={**os.environ, **(environment or {})}).returncode:
        # The command has said on stderr what is wrong.
        raise SystemExit(code)


def _files(root: Path, owned: tuple[str, ...]) -> dict[str, bytes]:
    found = [path for name in owned for path in (root / name, *(root / name).rglob("*")) if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def _differences(language: Language, made: Path) -> list[str]:
    wanted, committed = _files(made, language.owned), _files(language.root, language.owned)
    place = language.root.relative_to(ROOT)
    return sorted(
        [f"{place}/{name} is missing" for name in wanted.keys() - committed.keys()]
        + [f"{place}/{name} is left over" for name in committed.keys() - wanted.keys()]
        + [f"{place}/{name} differs" for name in wanted.keys() & committed.keys() if wanted[name] != committed[name]]
    )


def _replace(language: Language, made: Path) -> list[str]:
    for name in _files(language.root, language.owned):
        (language.root / name).unlink()
    wanted = _files(made, language.owned)
    for name, content in wanted.items():
        (language.root / name).parent.mkdir(parents=True, exist_ok=True)
        (language.root / name).write_bytes(content)
    print(f"{len(wanted)} files written to {language.root.relative_to(ROOT)}")
    return []


if __name__ == "__main__":
    sys.exit(main())
