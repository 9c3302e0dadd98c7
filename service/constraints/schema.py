"""JSON Schemas before they are compiled: what cannot be enforced, or would take too long, is refused by path.

The library refuses unknown keywords, too, but does not say where they are, and it does not bound what follows from some
others; see docs/adr/0045.
"""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import unquote

from service.constraints.spec import JsonStyle, UnusableConstraint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

logger = logging.getLogger(__name__)

Schema = dict[str, object]

#: Largest schema, in bytes of JSON.
MAX_SCHEMA_BYTES = 256 << 10
#: Deepest nesting of objects and arrays; the library reads 127.
MAX_DEPTH = 120
#: Most schemas in a schema. Those behind a reference count again wherever they are merged with others.
MAX_SCHEMAS = 10_000
#: Most references that follow one another and are merged.
_MAX_MERGED = 100
#: Most properties of an object that may be left out: each may follow each, and the library considers at most 2,000
#: ways to go on at a time.
MAX_OPTIONAL_PROPERTIES = 480
#: Most bytes of all patterns: compiling one takes time and memory with the square of its length.
MAX_PATTERN_BYTES = 16 << 10
#: Largest sum of all divisors, without their points: the library makes a state for each remainder.
MAX_DIVISORS = 50_000

#: Keywords that constrain, and that the library cannot enforce.
UNSUPPORTED = frozenset(
    {
        *("$dynamicRef", "$recursiveRef", "contains", "dependencies", "dependentRequired", "dependentSchemas", "else"),
        *("if", "maxContains", "minContains", "not", "propertyNames", "then", "unevaluatedItems"),
        *("unevaluatedProperties", "uniqueItems"),
    }
)
#: Values of these that constrain nothing. The library refuses the keywords all the same, so they are left out.
_HARMLESS: Mapping[str, tuple[object, ...]] = {
    "uniqueItems": (False,),
    "unevaluatedItems": (True, {}),
    "unevaluatedProperties": (True, {}),
    "propertyNames": (True, {}),
    "dependencies": ({},),
    "dependentRequired": ({},),
    "dependentSchemas": ({},),
    "not": (False,),
}
#: Values of ``format`` that the library enforces.
FORMATS = frozenset(
    ("date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "unknown", "uri", "uuid")
)
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


def read_schema(text: str) -> Schema:
    """A schema from its JSON.

    Raises:
        UnusableConstraint: it is too large, nested too deeply, or no JSON object.
    """
    n_bytes = len(text.encode("utf-8", "surrogatepass"))
    if n_bytes > MAX_SCHEMA_BYTES:
        raise UnusableConstraint(f"has {n_bytes} bytes; allowed are at most {MAX_SCHEMA_BYTES}")
    try:
        schema = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise UnusableConstraint(f"is no JSON: {error}") from None
    if not isinstance(schema, dict):
        raise UnusableConstraint(f"is {text[:40]}; allowed is an object that is a JSON Schema")
    return schema


def prepare_schema(schema: Schema, style: JsonStyle) -> None:
    """Check a schema, and change it in place into one that means the same to the library.

    Raises:
        UnusableConstraint: it asks for what cannot be enforced, or would take too long to compile.
    """
    if _depth(schema) > MAX_DEPTH:
        raise _too_deep()
    left_out: list[str] = []
    n_pattern_bytes, divisors = 0, Decimal(0)
    for path, one in _schemas(schema):
        for keyword in _unenforceable(one):
            if _is_harmless(keyword, one[keyword]):
                del one[keyword]
            elif style.lenient:
                left_out.append(f"{path}/{keyword}")
            else:
                raise UnusableConstraint(_complaint(path, keyword, one[keyword]))
        _check_reference(path, one)
        _check_properties(path, one)
        if style.disable_additional_properties and not one.keys().isdisjoint(("properties", "patternProperties")):
            one.setdefault("additionalProperties", False)
        n_pattern_bytes += sum(len(pattern.encode("utf-8", "replace")) for pattern in _patterns(one))
        divisors += _divisor(one)
    _check_sums(n_pattern_bytes, divisors)
    if _n_merged(schema, schema, frozenset(), {}) > MAX_SCHEMAS:
        raise UnusableConstraint(
            f"has more than {MAX_SCHEMAS} schemas, where those behind a reference count again wherever they are merged "
            "with others; allowed are fewer"
        )
    if left_out:
        logger.warning("keywords of a JSON Schema are not enforced", extra={"keywords": ", ".join(left_out[:20])})


def _schemas(root: Schema) -> Iterator[tuple[str, Schema]]:
    """All schemas in a schema with their paths, and those that references point to, each once."""
    waiting: list[tuple[str, object]] = [("", root)]
    seen: set[int] = set()
    while waiting:
        path, one = waiting.pop()
        if not isinstance(one, dict) or id(one) in seen:
            continue
        seen.add(id(one))
        yield path, one
        waiting.extend(reversed(list(_children(path, one))))
        reference = one.get("$ref")
        if isinstance(reference, str) and (found := _target(root, reference)) is not None:
            waiting.append((reference.removeprefix("#"), found))


def _children(path: str, schema: Schema) -> Iterator[tuple[str, object]]:
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


def _unenforceable(schema: Schema) -> list[str]:
    keywords = [keyword for keyword in schema if keyword in UNSUPPORTED]
    if "format" in schema and schema["format"] not in FORMATS:
        keywords.append("format")
    return keywords


def _is_harmless(keyword: str, value: object) -> bool:
    # True is 1 for Python, but not for JSON.
    return any(type(value) is type(one) and value == one for one in _HARMLESS.get(keyword, ()))


def _complaint(path: str, keyword: str, value: object) -> str:
    if keyword == "format":
        return f"{path}/format: {json.dumps(value)[:40]} is not supported; allowed are {', '.join(sorted(FORMATS))}"
    return f"{path}/{keyword} is not supported; leave it out"


def _check_reference(path: str, schema: Schema) -> None:
    reference = schema.get("$ref")
    if isinstance(reference, str) and not reference.startswith("#"):
        raise UnusableConstraint(
            f"{path}/$ref: {reference[:80]!r} is elsewhere; allowed are references that begin with #"
        )


def _check_properties(path: str, schema: Schema) -> None:
    properties, required = schema.get("properties"), schema.get("required")
    if isinstance(properties, dict) and len(properties) > MAX_OPTIONAL_PROPERTIES:
        names = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
        n_optional = len(properties.keys() - names)
        if n_optional > MAX_OPTIONAL_PROPERTIES:
            raise UnusableConstraint(
                f"{path}/properties: {n_optional} may be left out; allowed are at most {MAX_OPTIONAL_PROPERTIES}, all "
                "others must be in required"
            )


def _patterns(schema: Schema) -> Iterator[str]:
    pattern, properties = schema.get("pattern"), schema.get("patternProperties")
    if isinstance(pattern, str):
        yield pattern
    if isinstance(properties, dict):
        yield from properties


def _divisor(schema: Schema) -> Decimal:
    value = schema.get("multipleOf")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Decimal(0)
    return Decimal("".join(map(str, Decimal(str(value)).as_tuple().digits)))


def _check_sums(n_pattern_bytes: int, divisors: Decimal) -> None:
    if n_pattern_bytes > MAX_PATTERN_BYTES:
        raise UnusableConstraint(f"has {n_pattern_bytes} bytes of patterns; allowed are at most {MAX_PATTERN_BYTES}")
    if divisors > MAX_DIVISORS:
        raise UnusableConstraint(
            f"has values of multipleOf that are {divisors} together, without their points; allowed are at most "
            f"{MAX_DIVISORS}"
        )


def _n_merged(schema: object, root: Schema, behind: frozenset[str], known: dict[str, int]) -> int:
    """How many schemas the library makes of one: what is behind a reference is copied where it is merged."""
    if not isinstance(schema, dict):
        return 1
    total = 1
    for path, child in _children("", schema):
        if not path.startswith(("/$defs/", "/definitions/")):
            total += _n_merged(child, root, behind, known)
    references = [schema] if not _SAYING_NOTHING.issuperset(schema) else []
    all_of = schema.get("allOf")
    if isinstance(all_of, list) and (len(all_of) > 1 or references):
        references += [one for one in all_of if isinstance(one, dict)]
    for one in references:
        name = one.get("$ref")
        if isinstance(name, str) and name not in behind and (found := _target(root, name)) is not None:
            if name not in known:
                if len(behind) >= _MAX_MERGED:
                    return MAX_SCHEMAS + 1
                known[name] = _n_merged(found, root, behind | {name}, known)
            total += known[name]
    return min(total, MAX_SCHEMAS + 1)


def _depth(value: object) -> int:
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


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def _too_deep() -> UnusableConstraint:
    return UnusableConstraint(f"is nested too deeply; allowed are {MAX_DEPTH} objects and arrays in each other")
