"""Stands in for the program llama-server: starts the server under test with a local model.

``python -m tests.compat.launcher SERVER MODELS OPTIONS...``, where SERVER is "slotline" or the path of llama-server,
MODELS the folder of models, and OPTIONS are llama-server's. The process becomes the server.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.compat import replacements

SLOTLINE = "slotline"
#: Both servers count with one thread, so that what they answer does not depend on who else is busy.
_ONE_THREAD = ("-t", "1")
_SLOTLINE = (
    *(sys.executable, "-P", "-m", "slotline.cli", "serve"),
    *("--api-shape", "now", "--grpc-listen", "127.0.0.1:0"),
)


def command(server: str, folder: Path, options: list[str]) -> list[str]:
    """The command line of a server.

    Args:
        server: ``SLOTLINE`` or the path of llama-server.
        folder: of the models.
        options: llama-server's, with models of repositories.
    """
    program = _SLOTLINE if server == SLOTLINE else (server,)
    return [*program, *_ONE_THREAD, *with_local_model(folder, options)]


def with_local_model(folder: Path, options: list[str]) -> list[str]:
    """Options that name a local model instead of one of a repository."""
    rest = list(options)
    repository, file = _take(rest, "--hf-repo"), _take(rest, "--hf-file")
    if repository is None:
        return rest
    # All is local, so there is no network to stay away from.
    if "--offline" in rest:
        rest.remove("--offline")
    model = replacements.model_for(folder, repository, file)
    projector = replacements.projector_for(model)
    shows = projector is not None and "--no-mmproj" not in rest
    return ["--model", str(model), *(["--mmproj", str(projector)] if shows else []), *rest]


def _take(options: list[str], name: str) -> str | None:
    """Remove an option and its value; returns the value."""
    if name not in options:
        return None
    place = options.index(name)
    _, value = options.pop(place), options.pop(place)
    return value


if __name__ == "__main__":
    line = command(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
    os.execvp(line[0], line)
