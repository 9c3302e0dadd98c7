"""Reading single JSON values, with the coercions that clients of the REST API rely on.

An integer may be written as a float, which is truncated, or as a boolean, 1 or 0; a number as an integer or a boolean.
Any other type is refused with the name of the field, the value and what is allowed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rest_adapter.errors import INVALID_TYPE, INVALID_VALUE, InvalidRequest
from rest_adapter.json.encoding import show
from rest_adapter.json.number_bounds import FLOAT32_MAX, INT32, UINT32

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def read_int(name: str, value: object, bounds: tuple[int, int] = INT32) -> int:
    """An integer within bounds, both included."""
    low, high = bounds
    number = int(value) if isinstance(value, float) and math.isfinite(value) else value
    if isinstance(number, int) and low <= number <= high:
        return int(number)
    code = INVALID_VALUE if isinstance(value, int | float) else INVALID_TYPE
    raise refusal(name, value, f"an integer from {low} to {high}", code)


def read_float(name: str, value: object) -> float:
    """A number that fits into a float32."""
    # Compared before the conversion: an integer may be too large for any float.
    if isinstance(value, int | float) and -FLOAT32_MAX <= value <= FLOAT32_MAX:
        return float(value)
    code = INVALID_VALUE if isinstance(value, int | float) else INVALID_TYPE
    raise refusal(name, value, "a finite number", code)


def read_bool(name: str, value: object) -> bool:
    """True or false; not 0, 1 or a string."""
    if isinstance(value, bool):
        return value
    raise refusal(name, value, "true or false", INVALID_TYPE)


def read_flag(fields: Mapping[str, object], name: str, prefix: str = "", *, default: bool = False) -> bool:
    """A boolean, or the default if it is missing or null. ``prefix`` stands before its name in errors."""
    value = fields.get(name)
    return default if value is None else read_bool(prefix + name, value)


def read_str(name: str, value: object) -> str:
    """A string; numbers are refused."""
    if isinstance(value, str):
        return value
    raise refusal(name, value, "a string", INVALID_TYPE)


def read_list(name: str, value: object, of: str, most: int | None = None) -> Sequence[object]:
    """An array of at most so many items; ``of`` names the items that it should hold, for the error."""
    if isinstance(value, list) and (most is None or len(value) <= most):
        return value
    raise refusal(name, value, f"an array of {of}", INVALID_TYPE)


def read_object(name: str, value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise refusal(name, value, "an object", INVALID_TYPE)


def read_token_id(name: str, value: object) -> int:
    """A token id. Whether the vocabulary has it is for the core to say."""
    is_whole = isinstance(value, float) and value.is_integer()
    if (is_whole or isinstance(value, int)) and not isinstance(value, bool):
        return read_int(name, value, UINT32)
    raise refusal(name, value, "a token id, an integer of at least 0")


def refusal(name: str, value: object, allowed: str, code: str = INVALID_VALUE) -> InvalidRequest:
    """The error for a value that is not allowed."""
    return InvalidRequest(name, f"{show(value)} is not {allowed}", code)
