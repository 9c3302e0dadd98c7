"""Answers as values of Python types."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from slotline.client.requests import is_conversation
from slotline.client.results import Completion, IncompleteAnswer
from slotline.client.schema import schema_of
from slotline.client.values import value_of

if TYPE_CHECKING:
    from slotline.client.options import GenerateOptions
    from slotline.client.requests import Prompt

T = TypeVar("T")


@dataclass(frozen=True)
class Parsed(Generic[T]):
    """An answer as a value.

    Attributes:
        value: the value.
        completion: the answer that it was read from.
    """

    value: T
    completion: Completion


def parse_options(prompt: Prompt, kind: type[object], options: GenerateOptions) -> GenerateOptions:
    """The options of a request whose answer is JSON of a type.

    Raises:
        TypeError: the type has no JSON Schema.
    """
    made: GenerateOptions = {
        # Small models go on with properties of their own for ever.
        "json_style": {"disable_additional_properties": True},
        **options,
        "json_schema": schema_of(kind),
    }
    if is_conversation(prompt):
        # A model that thinks first is constrained behind that.
        made.setdefault("parse_output", True)
    return made


def parsed(completion: Completion, kind: type[T]) -> Parsed[T]:
    """The value in an answer.

    Raises:
        IncompleteAnswer: the answer was cut.
        ValueError: it does not fit the type, which may ask for more than its schema says.
    """
    try:
        value = json.loads(completion.text)
    except ValueError as error:
        reason = f"the answer is not whole JSON (it ended with {completion.finish_reason}): {error}"
        raise IncompleteAnswer(reason, completion.text) from error
    return Parsed(value_of(value, kind, "answer"), completion)
