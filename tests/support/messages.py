"""Protobuf messages with any content, for property tests: built field by field, or from damaged bytes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping

M = TypeVar("M", bound=Message)

_FLOAT_MAX = 3.4028234663852886e38
_FLOATS = st.one_of(
    st.floats(width=32),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-38, -1e-38, _FLOAT_MAX, -_FLOAT_MAX, math.nan, math.inf, -math.inf]),
)
_TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["", "\0", "<bos><eos>", "root ::= ", "[1", "{}", "x" * 300]))


def _integers(low: int, high: int) -> st.SearchStrategy[int]:
    """Any that fits, but mostly such as conversion does not refuse at once."""
    return st.one_of(st.integers(max(low, -2), 300), st.integers(low, high), st.sampled_from([low, high]))


_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_FLOAT: _FLOATS,
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT32: _integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT32: _integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: _integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_ENUM: _integers(-(2**31), 2**31 - 1) | st.integers(0, 7),
    FieldDescriptor.TYPE_STRING: _TEXTS,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=20),
}


def any_message(kind: type[M], allowed: Mapping[str, st.SearchStrategy[Any]] | None = None) -> st.SearchStrategy[M]:
    """Messages of a kind, in which each field is absent or has any value that its type can have.

    Args:
        kind: the class.
        allowed: values for fields of these names, at any depth; half of the messages have no others there, so that not
            all of them are refused for one bad field among many. ``st.nothing()`` leaves the field out.
    """
    wild: st.SearchStrategy[M] = _message(kind, {})
    mild: st.SearchStrategy[M] = _message(kind, dict(allowed or {}))
    return wild | mild


def damaged(messages: st.SearchStrategy[M]) -> st.SearchStrategy[M]:
    """What is left of messages whose bytes were changed on their way, as far as that can still be read."""
    return st.builds(_damage, messages, st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=8))


def _damage(message: M, changes: list[tuple[int, int]]) -> M:
    data = bytearray(message.SerializeToString())
    for place, byte in changes:
        if data:
            data[place % len(data)] = byte
    try:
        return type(message).FromString(bytes(data))
    except DecodeError:
        return message


def _message(kind: type[Any], allowed: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    descriptor: Descriptor = kind.DESCRIPTOR
    if descriptor.full_name.startswith("google.protobuf."):
        return st.just(kind())
    fields = {field.name: _field(field, allowed) for field in descriptor.fields}
    possible = {name: values for name, values in fields.items() if not values.is_empty}
    return st.fixed_dictionaries({}, optional=possible).map(lambda values: kind(**values))


def _field(field: Any, allowed: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    inner = field.message_type
    if field.name in allowed and (inner is None or allowed[field.name].is_empty):
        value = allowed[field.name]
    elif inner is None:
        value = _SCALARS[field.type]
    else:
        value = st.deferred(lambda: _message(GetMessageClass(inner), allowed))
    return st.lists(value, max_size=3) if field.is_repeated and not value.is_empty else value
