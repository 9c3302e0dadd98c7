"""Regular expressions of JSON Schema that the library can use."""

from __future__ import annotations

import functools
import json

from llguidance import LLMatcher


@functools.lru_cache(maxsize=256)
def is_usable(pattern: str) -> bool:
    """Whether the library can enforce a ``pattern``: it has no look-around and no back-references, for example."""
    grammar = f"start: %json {json.dumps({'type': 'string', 'pattern': pattern})}\n"
    is_error, _ = LLMatcher.validate_grammar_with_warnings(grammar)
    return not is_error
