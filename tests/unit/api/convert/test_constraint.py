"""Constraints become grammars, checked."""

from __future__ import annotations

import pytest

from service.api.convert.constraint import constraint_grammar
from service.api.convert.request import generation_request
from service.api.convert.settings import generation_settings
from service.errors import InvalidArgument, NotImplementedFeature
from service.sampling.gbnf import JSON_OBJECT
from slotline.v1 import generation_pb2
from tests.unit.api.convert.test_request import MODEL

Constraint = generation_pb2.Constraint
YES_NO = 'root ::= "yes" | "no"'


@pytest.mark.parametrize(
    ("constraint", "grammar"),
    [
        (Constraint(), ""),
        (Constraint(gbnf=YES_NO), YES_NO),
        (Constraint(json_object=generation_pb2.JsonObject()), JSON_OBJECT),
        (Constraint(choice=generation_pb2.Choices(texts=["yes", "no"])), 'root ::= "no" | "yes"'),
        (Constraint(choice=generation_pb2.Choices(texts=[""])), 'root ::= ""'),
    ],
)
def test_a_constraint_becomes_a_grammar(constraint: generation_pb2.Constraint, grammar: str) -> None:
    assert constraint_grammar(constraint) == grammar


@pytest.mark.parametrize(
    ("constraint", "field", "problem"),
    [
        (Constraint(gbnf=""), "constraint.gbnf", "line 1, column 1: the grammar has no rule 'root'"),
        (
            Constraint(gbnf='root ::=\n "a'),
            "constraint.gbnf",
            "is no grammar that can be used: line 2, column 2: this literal is not closed",
        ),
        (Constraint(gbnf="root ::= " + "(" * 20_000), "constraint.gbnf", "nested more than 200 deep"),
        (Constraint(choice=generation_pb2.Choices()), "constraint.choice.texts", "give at least one text"),
        (
            Constraint(choice=generation_pb2.Choices(texts=["a", "b\0"])),
            "constraint.choice.texts[1]",
            "has the character NUL",
        ),
        (Constraint(choice=generation_pb2.Choices(texts=["x" * 70_000])), "constraint.choice.texts", "at most 65536"),
    ],
)
def test_a_constraint_that_cannot_be_used_is_refused_by_path(
    constraint: generation_pb2.Constraint, field: str, problem: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        constraint_grammar(constraint)
    assert caught.value.field == field
    assert problem in caught.value.problem


def test_a_schema_is_not_available() -> None:
    with pytest.raises(NotImplementedFeature) as caught:
        constraint_grammar(Constraint(json_schema="{}"))
    assert caught.value.metadata == {"feature": "constraint.json_schema"}


def test_the_grammar_reaches_the_engine_and_the_settings_in_force() -> None:
    prepared = generation_request(generation_pb2.GenerateRequest(text="Hi", constraint=Constraint(gbnf=YES_NO)), MODEL)
    assert prepared.grammar == YES_NO
    assert generation_settings(prepared, MODEL, seed=1, n_keep=0, max_tokens=None).grammar == YES_NO
