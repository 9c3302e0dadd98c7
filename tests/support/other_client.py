"""Programs of clients: how tests run them, and clients in other languages, built by the commands of their own pages."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from slotline.client import GenerateOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent.parent
#: Requests with the prefix keys that all clients give them.
PREFIX_KEYS = ROOT / "clients/prefix_keys.json"
#: What builds leave in a client's folder.
_MADE = ("node_modules", "dist", "build", "target")
#: One command of a page; builds on a busy machine take their time.
_TIMEOUT_S = 300


def run_program(
    command: str | Sequence[str], address: str = "", *, cwd: Path = ROOT, timeout_s: float = _TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    """Run an example, or a command that builds one.

    Args:
        command: a line for a shell, or its words.
        address: of the server, for examples.
        cwd: where it runs.
        timeout_s: how long it may take.
    """
    return subprocess.run(
        command,
        shell=isinstance(command, str),
        cwd=cwd,
        env=os.environ | {"SLOTLINE_TARGET": address, "npm_config_prefer_offline": "true"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def output_of(
    command: str | Sequence[str], address: str = "", *, cwd: Path = ROOT, timeout_s: float = _TIMEOUT_S
) -> str:
    """What an example or a command prints that succeeds; arguments as of ``run_program``."""
    ran = run_program(command, address, cwd=cwd, timeout_s=timeout_s)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def expected_prefix_keys() -> list[str]:
    """The keys of ``PREFIX_KEYS``."""
    return [example["key"] for example in json.loads(PREFIX_KEYS.read_text())]


def options_in_camel_case() -> set[str]:
    """The options of the Python client, as other languages write their names."""
    return {re.sub(r"_([a-z])", lambda found: found[1].upper(), name) for name in GenerateOptions.__annotations__}


class OtherClient:
    """A client and its page.

    Args:
        language: name of the folder in ``clients``.
        root: of the repository, or of a copy of it.

    Attributes:
        folder: the client's folder.
    """

    def __init__(self, language: str, root: Path = ROOT) -> None:
        self.folder = root / "clients" / language
        self._root = root

    @classmethod
    def copied(cls, language: str, root: Path) -> OtherClient:
        """The client as a clone has it, in an empty folder."""
        shutil.copytree(ROOT / "clients" / language, root / "clients" / language, ignore=shutil.ignore_patterns(*_MADE))
        shutil.copytree(ROOT / "protos", root / "protos")
        return cls(language, root)

    def build(self) -> None:
        """Run the commands of the page but the last one, which is the first call."""
        for command in self.commands()[:-1]:
            self.run(command)

    def commands(self) -> list[str]:
        """The commands that lead from a clone to the first text, as the page has them."""
        page = (self.folder / "README.md").read_text()
        found = re.search(r"from a clone to the first text:\n\n((?: {4}[^\n]+\n)+)", page)
        assert found is not None, "the page does not lead from a clone to the first text"
        return [line.strip() for line in found[1].splitlines()]

    def first_program(self, language: str, address: str) -> str:
        """The first program of the page, for the server at an address.

        Args:
            language: as the page calls it.
            address: replaces that of the page.
        """
        page = (self.folder / "README.md").read_text()
        program = re.search(rf"^```{language}\n(import .*?)^```$", page, re.M | re.S)
        assert program is not None, "the page has no program"
        return program[1].replace("127.0.0.1:50051", address)

    def run(self, command: str | Sequence[str], address: str = "") -> str:
        """Run a command in the root of the repository; returns what it printed.

        Args:
            command: a line for a shell, or its words.
            address: of the server, for examples.
        """
        return output_of(command, address, cwd=self._root)


def skip_without(*programs: str, wanted: str) -> None:
    """Skip what needs a toolchain that is not there.

    Args:
        programs: commands that must be there.
        wanted: what to install.
    """
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} missing; install {wanted}")
