"""Fields of the configuration under the names by which they were set, for example as options of a command line.

Messages of the core write a field in backticks, as in "set `n_ctx`". A person who started the server with
``--ctx-size`` has never heard of ``n_ctx``. The configuration knows the other name (``CoreConfig.field_names``), and
the messages that people read pass through here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from service.errors import InvalidArgument, ServiceError
from slotline.protocol.reasons import CONFIG_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping


_FIELD = re.compile(r"`(\w+)`")


def with_names(text: str, names: Mapping[str, str]) -> str:
    """A text with other names for the fields that stand in backticks; without a name, a field stays as it is."""
    return _FIELD.sub(lambda found: names.get(found[1], found[0]), text)


def described(error: ServiceError, names: Mapping[str, str]) -> str:
    """The message of an error about the configuration, with other names for its fields."""
    if isinstance(error, InvalidArgument) and error.field in names:
        return f"{names[error.field]}: {with_names(error.problem, names)}"
    return with_names(error.message, names)


def answered(error: ServiceError, names: Mapping[str, str]) -> str:
    """The message of an error for whoever sent a request. Only errors that say so name fields of the configuration.

    Elsewhere, what stands in backticks is what the request said.
    """
    return with_names(error.message, names) if CONFIG_FIELDS in error.metadata else error.message
