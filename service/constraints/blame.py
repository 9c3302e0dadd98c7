"""Which part of a JSON Schema the library refuses: its messages do not say."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

from llguidance import LLMatcher, LLParserLimits

from service.constraints.grammar import INITIAL_FUEL, reason_of
from service.constraints.subschemas import children

if TYPE_CHECKING:
    from service.constraints.subschemas import Schema

#: Processor time after which no other part is tried. Each takes some 0.1 ms, and as long as the whole at most.
MOST_S = 0.2
#: A reference to anything but a definition.
_REFERENCE = re.compile(r'"\$ref": "#(?!/(\$defs|definitions)/)')


def blame(schema: Schema, options: object) -> str:
    """The path of the innermost schema that is refused by itself and why; empty if only the whole is.

    Belongs to a thread with a large stack.

    Args:
        schema: that is refused.
        options: how JSON is written.
    """
    shared: Schema = {name: schema[name] for name in ("$defs", "definitions") if name in schema}
    path, reason, one = "", "", schema
    began_s = time.thread_time()
    while True:
        for child_path, child in children(path, one):
            if not isinstance(child, dict) or not _stands_alone(child):
                continue
            if time.thread_time() - began_s > MOST_S:
                return ""
            found = _refusal({**child, **shared}, options)
            if found:
                path, reason, one = child_path, found, child
                break
        else:
            return f"{path}: {reason}" if path else ""


def _stands_alone(schema: Schema) -> bool:
    """Whether it means the same with nothing around it but definitions."""
    return _REFERENCE.search(json.dumps(schema)) is None


def _refusal(schema: Schema, options: object) -> str:
    text = f"start: %json {json.dumps({**schema, 'x-guidance': options})}\n"
    limits = LLParserLimits(initial_lexer_fuel=INITIAL_FUEL, verbose_errors=False)
    is_error, messages = LLMatcher.validate_grammar_with_warnings(text, None, limits=limits)
    return reason_of(messages[0]) if is_error else ""
