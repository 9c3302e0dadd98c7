"""Bounds of the numbers that fields of messages hold; those of integers are lowest and highest, both allowed."""

from __future__ import annotations

INT32 = (-(2**31), 2**31 - 1)
UINT32 = (0, 2**32 - 1)
FLOAT32_MAX = 3.4028234663852886e38
