"""How loading a model fails."""

from __future__ import annotations

from service.errors import ModelFailed


class ModelLoadError(ModelFailed):
    """The model cannot be loaded; the message says what is wrong and what to do."""


class ModelLoadAborted(ModelLoadError):
    """Loading was given up because the progress callback asked for it."""

    def __init__(self) -> None:
        super().__init__("loading the model was aborted")
