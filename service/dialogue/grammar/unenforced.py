"""What of a tool's schema cannot be enforced where a model does not write values as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.dialogue.chat_format import CallFormat, CallStyle
from service.dialogue.grammar.schemas import MAX_LENGTH, texts_of
from service.dialogue.parsing.schemas import Kinds, resolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from service.dialogue.tools import Tool

#: Of objects that are no JSON: which members there may be, beside those that are named.
_OF_OBJECTS = ("minProperties", "maxProperties", "patternProperties", "propertyNames", "dependentRequired", "allOf")
#: Longest path that is followed, references included.
_MAX_STEPS = 128
_OF_STRINGS = ("pattern", "format")
#: Of values that may be strings or not; only what is written tells which they are.
_OF_OTHERS = (
    *("minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("enum", "const", "items", "prefixItems", "minItems", "maxItems", "properties", "required"),
)


def unenforced(tool: Tool, form: CallFormat) -> str:
    """The path of the first keyword that arguments need not obey, "" if they obey all.

    Args:
        tool: a tool.
        form: how calls are written.
    """
    search = _Search(tool.parameters)
    if form.style is CallStyle.TAGGED and form.argument_open:
        found = search.tagged()
    elif form.style in (CallStyle.TAGGED, CallStyle.PYTHON):
        found = search.loose(tool.parameters, "")
    else:
        return ""
    return next(found, "")


class _Search:
    """Goes through a schema, and looks at each of its parts once."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._kinds = Kinds(root)
        self._seen: set[int] = set()

    def tagged(self) -> Iterator[str]:
        """Of arguments that are raw text if they are strings, and JSON otherwise."""
        schema = resolved(self._root, self._root)
        yield from _present(schema, "", (*_OF_OBJECTS, "anyOf", "oneOf"))
        properties = schema.get("properties")
        for name, value in properties.items() if isinstance(properties, dict) else ():
            yield from self._raw(value, f"/properties/{name}", is_part=False)

    def loose(self, schema: Any, path: str) -> Iterator[str]:
        """Of a value all of whose parts are almost JSON."""
        if (schema := self._new(schema, path)) is None:
            return
        yield from _present(schema, path, (*_OF_STRINGS, *_OF_OBJECTS, *_of_length(schema), "prefixItems"))
        properties = schema.get("properties")
        for name, value in properties.items() if isinstance(properties, dict) else ():
            yield from self.loose(value, f"{path}/properties/{name}")
        yield from self.loose(schema.get("items"), f"{path}/items")
        for keyword, index, part in _parts(schema, ("anyOf", "oneOf")):
            yield from self.loose(part, f"{path}/{keyword}/{index}")

    def _raw(self, schema: Any, path: str, *, is_part: bool) -> Iterator[str]:
        if (schema := self._new(schema, path)) is None:
            return
        allowed = self._kinds.of(schema)
        if "string" not in allowed or texts_of(schema, self._root) is not None:
            return
        others = _OF_OTHERS if is_part or allowed != {"string"} else ()
        yield from _present(schema, path, (*_OF_STRINGS, *_of_length(schema), *others))
        for keyword, index, part in _parts(schema, ("anyOf", "oneOf", "allOf")):
            yield from self._raw(part, f"{path}/{keyword}/{index}", is_part=True)

    def _new(self, schema: Any, path: str) -> dict[str, Any] | None:
        """A schema, or what it refers to; None if it was looked at."""
        if not isinstance(schema, dict) or path.count("/") > _MAX_STEPS:
            return None
        found = resolved(schema, self._root)
        if id(found) in self._seen:
            return None
        self._seen.add(id(found))
        return found


def _present(schema: dict[str, Any], path: str, keywords: Iterable[str]) -> Iterator[str]:
    return (f"{path}/{keyword}" for keyword in keywords if keyword in schema)


def _parts(schema: dict[str, Any], keywords: Iterable[str]) -> Iterator[tuple[str, int, Any]]:
    for keyword in keywords:
        parts = schema.get(keyword)
        for index, part in enumerate(parts if isinstance(parts, list) else ()):
            yield keyword, index, part


def _of_length(schema: dict[str, Any]) -> list[str]:
    """Lengths that are too large to be counted."""
    names = ("minLength", "maxLength")
    return [name for name in names if isinstance(schema.get(name), int) and schema[name] > MAX_LENGTH]
