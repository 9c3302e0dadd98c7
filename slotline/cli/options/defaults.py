"""Defaults of options. Configurations state those of their fields, options those of other settings."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rest_adapter.config import RestConfig
from service.config import CoreConfig, MediaOptions, ModelConfig
from slotline.cli.options.values import as_typed

if TYPE_CHECKING:
    from slotline.cli.options.table import Value

#: Defaults of all fields of configurations that have one. Where two configurations share a field, they agree.
OF_CONFIGURATIONS = {
    field.name: field.default
    for kind in (ModelConfig, MediaOptions, CoreConfig, RestConfig)
    for field in dataclasses.fields(kind)
    if field.default is not dataclasses.MISSING
}


def default_of(option: Value) -> object:
    """The value of an option's setting when it is not given; None if there is none."""
    return OF_CONFIGURATIONS.get(option.setting) if option.default is None else option.default


def shown_default(option: Value) -> str:
    """An option's default as help and reference show it; empty for none."""
    value = default_of(option)
    if value is None or value == ():
        return option.default_note or as_typed(option.convert, None)
    values = value if option.repeat and isinstance(value, tuple) else (value,)
    typed = " ".join(as_typed(option.convert, one) for one in values)
    return f"{typed}, {option.default_note}" if option.default_note else typed
