"""Random JSON Schemas of keywords that can be enforced, for properties of what obeys them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Schemas = st.SearchStrategy[dict[str, Any]]

_NAMES = ["a", "b", "name", "x y", "é"]
_FORMATS = ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"]
_PATTERNS = ["^[a-c]+$", "[0-9]{2}", "^x?y*$", r"\d|é"]
#: Characters that the vocabularies of small models have.
_TEXT = st.text(st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs"]), max_size=4)
_SMALL = st.integers(0, 4)
_NUMBER = st.integers(-1000, 1000) | st.floats(-1000, 1000).map(lambda number: round(number, 3))
_VALUE = st.recursive(
    st.none() | st.booleans() | _NUMBER | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=5,
)


def _with(must: dict[str, Any], **may: Any) -> Schemas:
    """Schemas with some keywords, and any of some others."""
    return st.fixed_dictionaries(must, optional=may)


_LEAF: Schemas = st.one_of(
    _with(
        {"type": st.sampled_from(["integer", "number"])},
        minimum=_NUMBER,
        maximum=_NUMBER,
        exclusiveMinimum=_NUMBER,
        exclusiveMaximum=_NUMBER,
        multipleOf=st.sampled_from([1, 2, 3, 0.5, 7, 0.01]),
    ),
    _with(
        {"type": st.just("string")},
        minLength=_SMALL,
        maxLength=st.integers(0, 12),
        pattern=st.sampled_from(_PATTERNS),
    ),
    _with({"type": st.just("string"), "format": st.sampled_from(_FORMATS)}),
    _with({"enum": st.lists(_VALUE, min_size=1, max_size=4)}),
    _with({"const": _VALUE}),
    _with({"type": st.sampled_from(["boolean", "null", ["string", "null"], ["integer", "boolean"]])}),
    st.just({}),
)


def _around(inner: Schemas) -> Schemas:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        _with(
            {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4)},
            required=st.lists(st.sampled_from(_NAMES), unique=True, max_size=3),
            additionalProperties=st.booleans() | inner,
            minProperties=st.integers(0, 2),
            maxProperties=_SMALL,
            patternProperties=st.dictionaries(st.sampled_from(["^z", "^[0-9]+$"]), inner, max_size=2),
        ),
        _with(
            {"type": st.just("array")},
            items=inner,
            prefixItems=st.lists(inner, min_size=1, max_size=2),
            minItems=st.integers(0, 3),
            maxItems=_SMALL,
        ),
        *(_with({keyword: several}) for keyword in ("anyOf", "allOf", "oneOf")),
    )


_ANY = st.recursive(_LEAF, _around, max_leaves=6)
#: Schemas; some have definitions that they refer to, themselves among them.
SCHEMAS: Schemas = _ANY | st.builds(
    lambda one, name: {
        "$defs": {"one": one, "many": {"anyOf": [one, {"type": "array", "items": {"$ref": f"#/$defs/{name}"}}]}},
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/one"}, "b": {"$ref": "#/$defs/many"}},
        "required": ["a"],
        "additionalProperties": False,
    },
    _ANY,
    st.sampled_from(["one", "many"]),
)
