"""The tools that an answer may call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from service.dialogue.parsing.schemas import kinds_of_properties

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class TextGrammar:
    """What the text of an argument obeys.

    Attributes:
        is_regex: a regular expression matches all of it; otherwise it follows a grammar in Lark.
        definition: that, as it was sent.
        expression: the same for the rule of a larger grammar; of a regular expression what stands between slashes.
    """

    is_regex: bool
    definition: str
    expression: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call.

    Attributes:
        name: not empty; unlike that of any other tool of the request.
        parameters: JSON Schema of its arguments, which are an object. Without properties there are none.
        is_strict: whether arguments have to obey all of the schema, or only what of it can be enforced.
        index: number of the tool in the request.
        grammars: what the texts of arguments obey that calls have as they are, by the names of the arguments.
        kinds: types of the arguments, by their names; found out here, where no answer waits for it.
    """

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)
    is_strict: bool = False
    index: int = 0
    grammars: Mapping[str, TextGrammar] = field(default_factory=dict)
    kinds: Mapping[str, frozenset[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", kinds_of_properties(self.parameters))
