"""The field ``response_fields``: only these fields of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_list, read_str

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rest_adapter.json.encoding import JsonObject

FIELDS = "response_fields"
_SEPARATOR = "/"
#: No answer has so many.
MAX_FIELDS = 128


def read_response_fields(body: Mapping[str, object]) -> tuple[str, ...]:
    """The paths of the fields that an answer is to have; none for all fields.

    Raises:
        InvalidRequest: the value is no list of at most ``MAX_FIELDS`` strings.
    """
    value = body.get(FIELDS)
    if value is None:
        return ()
    paths = read_list(FIELDS, value, f"at most {MAX_FIELDS} strings", most=MAX_FIELDS)
    return tuple(read_str(f"{FIELDS}[{i}]", path) for i, path in enumerate(paths))


def picked(answer: JsonObject, paths: Sequence[str]) -> JsonObject:
    """An answer with these fields alone. A path into an object, such as ``timings/predicted_n``, names its value.

    Args:
        answer: the whole one.
        paths: what to keep; what the answer does not have is left out. Nothing keeps everything.
    """
    if not paths:
        return answer
    found = ((path, _value(answer, path.split(_SEPARATOR))) for path in paths)
    return {path: values[0] for path, values in found if values}


def _value(answer: object, keys: Sequence[str]) -> tuple[object, ...]:
    """The value behind some keys; nothing if there is none."""
    for key in keys:
        if not isinstance(answer, dict) or key not in answer:
            return ()
        answer = answer[key]
    return (answer,)
