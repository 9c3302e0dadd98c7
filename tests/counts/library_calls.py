"""Counts calls into llama.cpp's library."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import Counter
from types import ModuleType
from typing import TYPE_CHECKING, Any

from service.llama.host.library import load_library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def counted_library() -> Iterator[Counter[str]]:
    """Let models that are loaded in the block count their calls into the library, by name, as long as they live."""
    library, count = load_library(), Counter[str]()
    former = {field.name: getattr(library, field.name) for field in dataclasses.fields(library)}
    # Everything that calls the library gets it from this one object, which is there once per process.
    for name, value in former.items():
        object.__setattr__(library, name, _counted(value, count))
    try:
        yield count
    finally:
        for name, value in former.items():
            object.__setattr__(library, name, value)


def _counted(value: Any, count: Counter[str]) -> Any:
    """The same with counted calls: the module of the bindings, or an object with functions of the library."""
    if isinstance(value, ModuleType):
        return _CountedModule(value, count)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return dataclasses.replace(value, **{name: _counting(name, getattr(value, name), count) for name in names})
    return value


class _CountedModule:
    def __init__(self, module: ModuleType, count: Counter[str]) -> None:
        self._module = module
        self._count = count

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        is_function = callable(value) and not isinstance(value, type)
        return _counting(name.removeprefix("llama_"), value, self._count) if is_function else value


def _counting(name: str, function: Callable[..., Any], count: Counter[str]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        count[name] += 1
        return function(*arguments)

    return call
