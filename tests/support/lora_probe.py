"""Loads a model with one adapter after the other, in a process that may die of it.

``python -m tests.support.lora_probe MODEL FOLDER`` prints a line of JSON for each file of the folder: its name, and
whether it was refused or works.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from service.config import LoraAdapter, ModelConfig
from service.engine.language_model import Segment
from service.llama.llama_model import LlamaModel
from service.llama.load_errors import ModelLoadError
from service.llama.loader import load


def main(model: Path, folder: Path) -> None:
    """Try every adapter of a folder."""
    for path in sorted(folder.iterdir()):
        print(json.dumps({"name": path.name, "outcome": _try(model, path)}), flush=True)


def _try(model: Path, adapter: Path) -> str:
    config = ModelConfig(str(model), n_ctx=64, n_threads=1, lora=(LoraAdapter(str(adapter), 0.5),))
    try:
        with load(config) as loaded:
            assert isinstance(loaded, LlamaModel)
            loaded.compute.decode([Segment(0, 0, [65, 66, 67], 1)])
    except ModelLoadError:
        return "refused"
    return "works"


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
