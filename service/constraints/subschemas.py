"""The schemas that a JSON Schema consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, object]

#: Most references that follow one another and are merged.
_MAX_MERGED = 100
#: Keywords whose values hold schemas: one, a list, or an object of them.
_HOLDING_ONE = ("additionalItems", "additionalProperties", "items")
_HOLDING_LIST = ("allOf", "anyOf", "items", "oneOf", "prefixItems")
_HOLDING_OBJECT = ("$defs", "definitions", "patternProperties", "properties")
#: Keywords beside which a reference is not merged with anything.
_SAYING_NOTHING = frozenset(
    {
        *("$anchor", "$comment", "$defs", "$id", "$ref", "$schema", "default", "definitions", "deprecated"),
        *("description", "examples", "id", "readOnly", "title", "writeOnly"),
    }
)


def all_schemas(root: Schema) -> Iterator[tuple[str, Schema]]:
    """All schemas in a schema with their paths, and those that references point to, each once."""
    waiting: list[tuple[str, object]] = [("", root)]
    seen: set[int] = set()
    while waiting:
        path, one = waiting.pop()
        if not isinstance(one, dict) or id(one) in seen:
            continue
        seen.add(id(one))
        yield path, one
        waiting.extend(reversed(list(children(path, one))))
        reference = one.get("$ref")
        if isinstance(reference, str) and (found := _target(root, reference)) is not None:
            waiting.append((reference.removeprefix("#"), found))


def children(path: str, schema: Schema) -> Iterator[tuple[str, object]]:
    """What stands where schemas belong, with its path; ``path`` is that of the schema."""
    for keyword in _HOLDING_ONE:
        yield f"{path}/{keyword}", schema.get(keyword)
    for keyword in _HOLDING_LIST:
        value = schema.get(keyword)
        if isinstance(value, list):
            for index, child in enumerate(value):
                yield f"{path}/{keyword}/{index}", child
    for keyword in _HOLDING_OBJECT:
        value = schema.get(keyword)
        if isinstance(value, dict):
            for name, child in value.items():
                yield f"{path}/{keyword}/{_escaped(name)}", child


def _target(root: Schema, reference: str) -> Schema | None:
    """The schema that a reference inside of the document points to, None if there is none."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    found: object = root
    for part in reference.split("/")[1:]:
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found if isinstance(found, dict) else None


class MergedSchemas:
    """How many schemas the library makes of one: what is behind a reference is copied where it is merged.

    Args:
        root: what references point into.
        most: counting ends above this number.
    """

    def __init__(self, root: Schema, most: int) -> None:
        self._root = root
        self._most = most
        self._known: dict[str, int] = {}

    def count(self) -> int:
        """All schemas and their copies."""
        total = 0
        try:
            for _, schema in all_schemas(self._root):
                total += 1 + self._n_copied(schema, ())
                if total > self._most:
                    break
        except RecursionError:
            return self._most + 1
        return total

    def _n_copied(self, schema: Schema, behind: tuple[str, ...]) -> int:
        """Copies of what one schema refers to and is merged with."""
        is_merged = not _SAYING_NOTHING.issuperset(schema)
        references = [schema] if is_merged else []
        all_of = schema.get("allOf")
        if isinstance(all_of, list) and (len(all_of) > 1 or is_merged):
            references += [one for one in all_of if isinstance(one, dict)]
        return sum(self._size(one["$ref"], behind) for one in references if isinstance(one.get("$ref"), str))

    def _size(self, reference: object, behind: tuple[str, ...]) -> int:
        """What is behind a reference, with all copies; 0 if it is in there itself."""
        assert isinstance(reference, str)
        if reference in behind or (found := _target(self._root, reference)) is None:
            return 0
        if len(behind) >= _MAX_MERGED:
            return self._most + 1
        if reference not in self._known:
            self._known[reference] = self._n_inside(found, (*behind, reference))
        return self._known[reference]

    def _n_inside(self, schema: Schema, behind: tuple[str, ...]) -> int:
        total = 1 + self._n_copied(schema, behind)
        for path, child in children("", schema):
            if isinstance(child, dict) and not path.startswith(("/$defs/", "/definitions/")):
                total += self._n_inside(child, behind)
        return min(total, self._most + 1)


def depth_of(value: object) -> int:
    """How many objects and arrays are in each other at most; without recursion, for it may be very deep."""
    depth, level = 0, [value]
    while level:
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
            if isinstance(child, dict | list)
        ]
        depth += 1
    return depth


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
