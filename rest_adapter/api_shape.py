"""Which server's answers a client expects where they differ: llama.cpp's of 2024, or its server of today.

Both shapes are forms of the same facts. A server has one by default (``--api-shape``), and each request may ask for the
other one with the query ``shape``.
"""

from __future__ import annotations

from enum import Enum

#: Name of the query.
SHAPE = "shape"


class ApiShape(Enum):
    """A shape, by the word that asks for it."""

    OF_2024 = "2024"
    NOW = "now"
