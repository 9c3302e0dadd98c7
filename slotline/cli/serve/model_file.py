"""A look at the model's file before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import ServiceError
from service.field_names import described
from service.llama.files.preflight import ModelFileFacts, check_model_file
from slotline.cli.start_errors import StartError

if TYPE_CHECKING:
    from service.config import CoreConfig


def check_model(config: CoreConfig) -> ModelFileFacts:
    """Check the model's file; the facts in its header.

    Raises:
        StartError: the file is missing or broken, or needs more memory than there is.
    """
    try:
        return check_model_file(config.model)
    except ServiceError as error:
        raise StartError(described(error, config.field_names)) from None
