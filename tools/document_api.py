"""Writes ``docs/api/``, the reference of the gRPC contract, from the comments in ``protos/``, or checks it.

Run it as ``make docs``. Ranges and defaults come from the options of the fields.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

from slotline.options import BY_PATH
from slotline.v1 import generation_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.descriptor import Descriptor

    from slotline.options import OptionFacts, Range

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
FOLDER = ROOT / "docs/api"
_PACKAGE = "slotline.v1"
_MARK = "<!-- Written by `make docs` from the comments in protos/; do not edit. -->\n"
#: Numbers of fields in the messages of descriptor.proto, of which the paths of comments consist.
_MESSAGES, _ENUMS, _SERVICES, _FIELDS, _ONEOFS, _METHODS, _VALUES = 4, 5, 6, 2, 8, 2, 2
CommentPath = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _File:
    """A proto file, with its comments by where they stand."""

    descriptor: FileDescriptorProto
    comments: dict[CommentPath, str]

    @property
    def page(self) -> str:
        """Name of the page about it."""
        return Path(self.descriptor.name).with_suffix(".md").name

    @property
    def types(self) -> list[str]:
        """Names of its messages, then of its enumerations."""
        messages = [message.name for message in self.descriptor.message_type]
        return messages + [enum.name for enum in self.descriptor.enum_type]


def pages() -> dict[str, str]:
    """All pages by file name."""
    files = [_read(file) for file in _descriptors().file if file.package == _PACKAGE]
    homes = {name: f"{file.page}#{name.lower()}" for file in files for name in file.types}
    facts = dict(_facts(generation_pb2.GenerateRequest.DESCRIPTOR, ""))
    made = {file.page: _Page(file, homes, facts).text() for file in files if file.page != "options.md"}
    services = [(file, service) for file in files for service in file.descriptor.service]
    return {"README.md": _index(services, files)} | made


def _descriptors() -> FileDescriptorSet:
    buf = shutil.which("buf", path=str(Path(sys.executable).parent)) or "buf"
    with tempfile.TemporaryDirectory(prefix="slotline-docs-") as directory:
        out = Path(directory) / "protos.binpb"
        subprocess.run([buf, "build", str(PROTOS), "-o", str(out)], check=True)
        return FileDescriptorSet.FromString(out.read_bytes())


def _read(descriptor: FileDescriptorProto) -> _File:
    comments = {
        tuple(place.path): " ".join(place.leading_comments.split("\n\n")[0].split()) + _further(place.leading_comments)
        for place in descriptor.source_code_info.location
        if place.leading_comments
    }
    return _File(descriptor, comments)


def _further(comment: str) -> str:
    """The paragraphs of a comment behind the first."""
    paragraphs = re.split(r"\n\s*\n", comment.strip("\n"))[1:]
    return "".join("\n\n" + " ".join(paragraph.split()) for paragraph in paragraphs)


def _facts(message: Descriptor, prefix: str) -> Iterator[tuple[tuple[str, str], OptionFacts]]:
    """The facts about options by message and field."""
    for field in message.fields:
        path = prefix + field.name
        if path in BY_PATH:
            yield (message.name, field.name), BY_PATH[path]
        elif field.message_type is not None and field.message_type.file.package == _PACKAGE and not prefix:
            yield from _facts(field.message_type, f"{path}.")


def _index(services: Sequence[tuple[_File, ServiceDescriptorProto]], files: Sequence[_File]) -> str:
    lines = [
        "# The gRPC API\n\n",
        _MARK,
        "\nThe contract is the package `slotline.v1` in [protos](../../protos/slotline/v1). [Errors](../errors.md)\n"
        "lists the reasons of failures, [versioning](../versioning.md) says what may change.\n\n",
        "| method | request | answer |\n|---|---|---|\n",
    ]
    for file, service in services:
        for method in service.method:
            name = f"[{service.name}.{method.name}]({file.page}#{method.name.lower()})"
            answer = f"{'a stream of ' if method.server_streaming else ''}`{_plain(method.output_type)}`"
            lines.append(f"| {name} | `{_plain(method.input_type)}` | {answer} |\n")
    lines.append("\n| page | messages |\n|---|---|\n")
    for file in files:
        if file.types and file.page != "options.md":
            names = ", ".join(f"`{name}`" for name in file.types)
            lines.append(f"| [{file.descriptor.name}]({file.page}) | {names} |\n")
    return "".join(lines)


class _Page:
    """The page about a file.

    Args:
        file: the file.
        homes: where messages and enumerations are described, by name.
        facts: about options, by message and field.
    """

    def __init__(self, file: _File, homes: dict[str, str], facts: dict[tuple[str, str], OptionFacts]) -> None:
        self._file = file
        self._homes = homes
        self._facts = facts

    def text(self) -> str:
        """The page."""
        descriptor = self._file.descriptor
        parts = [f"# {descriptor.name}\n\n", _MARK]
        for number, service in enumerate(descriptor.service):
            parts += self._service(service, (_SERVICES, number))
        for number, message in enumerate(descriptor.message_type):
            parts += self._message(message, (_MESSAGES, number))
        for number, enum in enumerate(descriptor.enum_type):
            parts += self._enum(enum, (_ENUMS, number))
        return "".join(parts)

    def _comment(self, *path: int) -> str:
        return self._file.comments.get(path, "")

    def _service(self, service: ServiceDescriptorProto, path: CommentPath) -> Iterator[str]:
        yield f"\n## {service.name}\n\n{_paragraphs(self._comment(*path))}\n"
        for number, method in enumerate(service.method):
            answer = ("a stream of " if method.server_streaming else "") + self._linked(method.output_type)
            yield (
                f"\n### {method.name}\n\n{self._linked(method.input_type)} → {answer}\n\n"
                f"{_paragraphs(self._comment(*path, _METHODS, number))}\n"
            )

    def _message(self, message: DescriptorProto, path: CommentPath) -> Iterator[str]:
        yield f"\n## {message.name}\n\n{_paragraphs(self._comment(*path))}\n"
        if message.field:
            yield "\n| field | type | meaning |\n|---|---|---|\n"
        for number, field in enumerate(message.field):
            meaning = self._comment(*path, _FIELDS, number)
            if self._is_in_oneof(field):
                oneof = message.oneof_decl[field.oneof_index].name
                meaning = f"(one of `{oneof}`) {meaning}"
            facts = self._facts.get((message.name, field.name))
            if facts is not None:
                meaning += _bounds(facts)
            yield f"| `{field.name}` | {self._type(field)} | {_cell(meaning)} |\n"

    def _enum(self, enum: EnumDescriptorProto, path: CommentPath) -> Iterator[str]:
        yield f"\n## {enum.name}\n\n{_paragraphs(self._comment(*path))}\n\n| value | meaning |\n|---|---|\n"
        for number, value in enumerate(enum.value):
            yield f"| `{value.name}` = {value.number} | {_cell(self._comment(*path, _VALUES, number))} |\n"

    @staticmethod
    def _is_in_oneof(field: FieldDescriptorProto) -> bool:
        return field.HasField("oneof_index") and not field.proto3_optional

    def _type(self, field: FieldDescriptorProto) -> str:
        if field.type_name:
            name = self._linked(field.type_name)
        else:
            name = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            return f"repeated {name}"
        return f"optional {name}" if field.proto3_optional else name

    def _linked(self, type_name: str) -> str:
        name = _plain(type_name)
        home = self._homes.get(name)
        if home is None:
            return f"`{type_name.removeprefix('.')}`"
        return f"[{name}]({home.removeprefix(self._file.page)})"


def _plain(type_name: str) -> str:
    return type_name.rpartition(".")[2]


def _bounds(facts: OptionFacts) -> str:
    """Default and range of an option, in words behind its comment."""
    parts = []
    if facts.default is not None and not isinstance(facts.default, tuple):
        default = str(facts.default).lower() if isinstance(facts.default, bool) else f"{facts.default:g}"
        parts.append(f"default {default}")
    if allowed := _range(facts.allowed):
        parts.append(f"allowed {allowed}")
    if facts.max_items is not None:
        parts.append(f"at most {facts.max_items} entries")
    if facts.max_bytes is not None:
        parts.append(f"at most {facts.max_bytes} bytes")
    if not parts:
        return ""
    text = ", ".join(parts)
    return f" {text[0].upper()}{text[1:]}."


def _range(allowed: Range) -> str:
    if allowed.above is not None:
        least = f"above {allowed.above:g}"
        return least if allowed.max is None else f"{least}, to {allowed.max:g}"
    if allowed.min is not None:
        return f"{allowed.min:g} or more" if allowed.max is None else f"{allowed.min:g} to {allowed.max:g}"
    return "" if allowed.max is None else f"up to {allowed.max:g}"


def _paragraphs(comment: str) -> str:
    return comment.replace("<", "&lt;")


def _cell(text: str) -> str:
    """Text as a cell of a table shows it."""
    return text.replace("\n\n", " ").replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    """Write the pages, or with ``--check`` compare. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/api from the comments in protos/.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is stale")
    arguments = parser.parse_args()
    wanted = pages()
    found = {path.name: path.read_text() for path in FOLDER.glob("*.md")}
    if not arguments.check:
        FOLDER.mkdir(exist_ok=True)
        for name in found.keys() - wanted.keys():
            (FOLDER / name).unlink()
        for name, text in wanted.items():
            (FOLDER / name).write_text(text)
    elif found != wanted:
        stale = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
        print(f"error: {', '.join(stale)} in docs/api do not match protos/; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
