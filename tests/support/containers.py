"""Reads compose.yaml and the Dockerfiles, as far as this repository uses what they can say."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent.parent
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile: its keyword in capitals, and the rest with continued lines joined."""

    keyword: str
    rest: str

    @property
    def arguments(self) -> list[str]:
        """The JSON list at its end, as in ``CMD ["a", "b"]``."""
        arguments: list[str] = json.loads(self.rest[self.rest.index("[") :])
        return arguments


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a Dockerfile, beginning with its FROM."""

    instructions: tuple[Instruction, ...]

    @property
    def base(self) -> str:
        """What it starts from: an image, or another stage."""
        return self.instructions[0].rest.split()[0]

    @property
    def name(self) -> str | None:
        """Its name, if it has one."""
        words = self.instructions[0].rest.split()
        return words[2] if len(words) == 3 else None

    def all(self, keyword: str) -> list[Instruction]:
        """Its instructions with this keyword."""
        return [instruction for instruction in self.instructions if instruction.keyword == keyword]

    def last(self, keyword: str) -> Instruction:
        """The one that is in force; there must be one."""
        return self.all(keyword)[-1]


def read_dockerfile(path: Path) -> list[Stage]:
    """The stages of a Dockerfile, in order."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages: list[list[Instruction]] = []
    for line in filter(None, joined.splitlines()):
        keyword, _, rest = line.partition(" ")
        if keyword == "FROM":
            stages.append([])
        stages[-1].append(Instruction(keyword, rest.strip()))
    return [Stage(tuple(instructions)) for instructions in stages]


def read_compose(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """compose.yaml with its variables replaced."""
    values = dict(environment or {})
    text = _VARIABLE.sub(
        lambda match: values.get(match["name"], match["default"] or ""), (ROOT / "compose.yaml").read_text()
    )
    compose: dict[str, Any] = yaml.safe_load(text)
    return compose


def dockerfile_of(service: Mapping[str, Any]) -> Path:
    """The Dockerfile that a service is built from."""
    build: dict[str, str] = service["build"]
    return ROOT / build["context"] / build["dockerfile"]


def command_line(service: Mapping[str, Any]) -> list[str]:
    """What a service's container runs: the image's entry point with the service's command."""
    final = read_dockerfile(dockerfile_of(service))[-1]
    return [*final.last("ENTRYPOINT").arguments, *service["command"]]


def health_command(service: Mapping[str, Any]) -> list[str]:
    """What a service's health check runs."""
    test: list[str] = service["healthcheck"]["test"]
    assert test[0] == "CMD", f"a health check without a shell begins with CMD, not with {test[0]}"
    return test[1:]
