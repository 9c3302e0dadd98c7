"""JSON Schemas before they are compiled: what cannot be enforced, or would take too long, is refused by path.

The library refuses unknown keywords, too, but does not say where they are, and it does not bound what follows from some
others; see docs/adr/0045.
"""

from __future__ import annotations

import json
import logging
import math
from fractions import Fraction
from typing import TYPE_CHECKING

from service.constraints.patterns import is_usable
from service.constraints.spec import JsonStyle, UnusableConstraint
from service.constraints.subschemas import MergedSchemas, all_schemas, depth_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from service.constraints.subschemas import Schema

logger = logging.getLogger(__name__)

#: Largest schema, in bytes of JSON.
MAX_SCHEMA_BYTES = 256 << 10
#: Deepest nesting of objects and arrays; the library reads 127.
MAX_DEPTH = 120
#: Most schemas in a schema. Those behind a reference count again wherever they are merged with others.
MAX_SCHEMAS = 10_000
#: Most properties of an object that may be left out: each may follow each, and the library considers at most 2,000
#: ways to go on at a time.
MAX_OPTIONAL_PROPERTIES = 480
#: Most bytes of all patterns: compiling one takes time and memory with the square of its length.
MAX_PATTERN_BYTES = 8 << 10
#: Most entries of all ``patternProperties``: each pair is compared, and 400 took 28 s.
MAX_PATTERN_PROPERTIES = 100
#: Largest sum of all divisors, and least common multiple of them, without the points: the library makes a state for
#: each remainder, and merges divisors that hold for one number.
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
    if depth_of(schema) > MAX_DEPTH:
        raise _too_deep()
    sums, left_out = _Sums(), list[str]()
    for path, one in all_schemas(schema):
        sums.add(one)
        left_out += (f"{path}/{keyword}" for keyword in _without_unenforceable(path, one, is_lenient=style.lenient))
        _check_reference(path, one)
        _check_properties(path, one)
        if style.disable_additional_properties and not one.keys().isdisjoint(("properties", "patternProperties")):
            one.setdefault("additionalProperties", False)
    if MergedSchemas(schema, MAX_SCHEMAS).count() > MAX_SCHEMAS:
        raise UnusableConstraint(
            f"has more than {MAX_SCHEMAS} schemas, where those behind a reference count again wherever they are merged "
            "with others; allowed are fewer"
        )
    if left_out:
        logger.warning("keywords of a JSON Schema are not enforced", extra={"keywords": ", ".join(left_out[:20])})


class _Sums:
    """What all schemas in a schema have together; refuses what is too much as soon as it is."""

    def __init__(self) -> None:
        self._n_pattern_bytes = self._n_pattern_properties = self._n_remainders = 0
        self._common_multiple: Fraction | None = None

    def add(self, schema: Schema) -> None:
        """Count one."""
        self._n_pattern_bytes += sum(len(pattern.encode("utf-8", "replace")) for pattern in _patterns(schema))
        self._n_pattern_properties += _n_pattern_properties(schema)
        _check_patterns(self._n_pattern_bytes, self._n_pattern_properties)
        divisor = _divisor(schema)
        if divisor is not None:
            self._n_remainders += _without_point(divisor)
            common = divisor if self._common_multiple is None else _common_multiple(self._common_multiple, divisor)
            self._common_multiple = common
            _check_divisors(self._n_remainders, _without_point(common))


def _without_unenforceable(path: str, schema: Schema, *, is_lenient: bool) -> Iterator[str]:
    """Leave out keywords that say nothing, and patterns if that is wanted; gives those that are not enforced."""
    for keyword in _unenforceable(schema):
        if _is_harmless(keyword, schema[keyword]):
            del schema[keyword]
        elif is_lenient:
            yield keyword
        else:
            raise UnusableConstraint(_complaint(path, keyword, schema[keyword]))
    if is_lenient:
        yield from _drop_patterns(schema)


def _unenforceable(schema: Schema) -> list[str]:
    keywords = [keyword for keyword in schema if keyword in UNSUPPORTED]
    if isinstance(schema.get("format"), str) and schema["format"] not in FORMATS:
        keywords.append("format")
    return keywords


def _drop_patterns(schema: Schema) -> Iterator[str]:
    """Leave out patterns that the library cannot use; gives their paths."""
    pattern, properties = schema.get("pattern"), schema.get("patternProperties")
    if isinstance(pattern, str) and not is_usable(pattern):
        del schema["pattern"]
        yield "pattern"
    if isinstance(properties, dict):
        for name in [name for name in properties if not is_usable(name)]:
            del properties[name]
            yield f"patternProperties/{name}"


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


def _divisor(schema: Schema) -> Fraction | None:
    value = schema.get("multipleOf")
    if isinstance(value, bool) or not isinstance(value, int | float) or not value:
        return None
    # As it is written: 0.1 is a tenth.
    return abs(Fraction(str(value)))


def _n_pattern_properties(schema: Schema) -> int:
    properties = schema.get("patternProperties")
    return len(properties) if isinstance(properties, dict) else 0


def _check_patterns(n_bytes: int, n_properties: int) -> None:
    if n_properties > MAX_PATTERN_PROPERTIES:
        raise UnusableConstraint(
            f"has {n_properties} entries of patternProperties; allowed are at most {MAX_PATTERN_PROPERTIES}"
        )
    if n_bytes > MAX_PATTERN_BYTES:
        raise UnusableConstraint(f"has {n_bytes} bytes of patterns; allowed are at most {MAX_PATTERN_BYTES}")


def _check_divisors(total: int, common_multiple: int) -> None:
    if total > MAX_DIVISORS or common_multiple > MAX_DIVISORS:
        raise UnusableConstraint(
            "has values of multipleOf that are too large: without their points, their sum and their least common "
            f"multiple may be at most {MAX_DIVISORS}"
        )


def _common_multiple(one: Fraction, other: Fraction) -> Fraction:
    """The least one."""
    return Fraction(math.lcm(one.numerator, other.numerator), math.gcd(one.denominator, other.denominator))


def _without_point(number: Fraction) -> int:
    """A decimal number without its point: 0.25 is 25."""
    while number.denominator > 1:
        number *= 10
    return number.numerator


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def _too_deep() -> UnusableConstraint:
    return UnusableConstraint(f"is nested too deeply; allowed are {MAX_DEPTH} objects and arrays in each other")
