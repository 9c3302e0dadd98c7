"""``slotline serve`` and ``slotline core`` with projectors that cannot be used: one line, and exit code 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from slotline.cli.default_model import default_model_path
from tests.support.serving import run_slotline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.seeing_model import SeeingModels

ARGUMENTS = {"serve": ("serve", "--port", "0"), "core": ("core", "--listen", "127.0.0.1:0")}


@pytest.mark.parametrize("command", ARGUMENTS)
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "does not exist"),
        ("not a GGUF", "GGUF"),
        ("truncated", "is truncated"),
        ("model", "is no projector"),
    ],
)
def test_a_projector_that_cannot_be_used_is_one_line(
    command: str, kind: str, words: str, tmp_path: Path, seeing: SeeingModels
) -> None:
    path, whole = tmp_path / "mmproj.gguf", seeing.projector().path
    match kind:
        case "not a GGUF":
            path.write_bytes(b"PK\x03\x04" * 1000)
        case "truncated":
            path.write_bytes(whole.read_bytes()[:-1000])
        case "model":
            path.symlink_to(default_model_path())
    status, process = run_slotline(*ARGUMENTS[command], "--mmproj", str(path))
    assert status == 1
    errors = [line for line in process.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith(f"error: projector file {path} ")
    assert words in errors[0]
    assert "--mmproj" in errors[0] or kind not in ("missing", "model")
    assert process.stderr.splitlines()[-1] == errors[0]
