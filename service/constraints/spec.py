"""What a request may ask of its output."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnusableConstraint(ValueError):
    """A constraint that cannot be used; the text says what is wrong with it and what is allowed."""


class ConstraintKind(enum.Enum):
    """The language in which a constraint is written."""

    #: A JSON Schema.
    JSON_SCHEMA = "json_schema"
    #: Any JSON object.
    JSON_OBJECT = "json_object"
    #: A regular expression that the whole output matches.
    REGEX = "regex"
    #: A JSON array of texts, of which the output is one.
    CHOICE = "choice"
    #: A grammar in the Lark dialect of llguidance, with a rule ``start``.
    LARK = "lark"


@dataclass(frozen=True, slots=True)
class JsonStyle:
    """How JSON is written, and what is made of its schema.

    Attributes:
        whitespace_pattern: regular expression for what may stand between tokens of JSON; None for at most a blank, or
            a line break with its indentation, because models can go on with blanks for ever.
        disable_any_whitespace: nothing may stand between them.
        disable_additional_properties: objects have no other properties than those of their schema, unless it says
            otherwise.
        lenient: keywords that cannot be enforced are left out.
    """

    whitespace_pattern: str | None = None
    disable_any_whitespace: bool = False
    disable_additional_properties: bool = False
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class ConstraintSpec:
    """A constraint, not compiled.

    Attributes:
        kind: its language.
        text: the constraint in it; empty for any JSON object.
        style: of use with JSON.
    """

    kind: ConstraintKind
    text: str = ""
    style: JsonStyle = JsonStyle()

    @classmethod
    def choice(cls, texts: Sequence[str]) -> ConstraintSpec:
        """One of some texts."""
        return cls(ConstraintKind.CHOICE, json.dumps(list(texts)))
