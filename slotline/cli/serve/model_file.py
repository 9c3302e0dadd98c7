"""A look at the model's files before anything is started."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from service.errors import ServiceError
from service.field_names import described
from service.llama.files.open_files import read_gguf
from service.llama.files.preflight import ModelFileFacts, check_model_file
from slotline.cli.start_errors import StartError

if TYPE_CHECKING:
    from service.config import CoreConfig


def check_model(config: CoreConfig) -> ModelFileFacts:
    """Check the files of the model and its projector; the facts in the model's header.

    What a header does not show of a projector is found by trying it out, once the model is loaded.

    Raises:
        StartError: a file is missing or broken, or the model needs more memory than there is.
    """
    try:
        facts = check_model_file(config.model)
        if config.media.mmproj is not None:
            read_gguf(Path(config.media.mmproj), f"projector file {config.media.mmproj}", "mmproj")
        return facts
    except ServiceError as error:
        raise StartError(described(error, config.field_names)) from None
