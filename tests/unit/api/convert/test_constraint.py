"""Constraints become guides: GBNF is checked, everything else compiled."""

from __future__ import annotations

import pytest

from service.api.convert.constraint import constraint_guide
from service.api.convert.request import generation_request
from service.api.convert.settings import generation_settings
from service.constraints.grammar import LarkGuide
from service.errors import InvalidArgument
from service.sampling.gbnf import GbnfGuide
from slotline.v1 import generation_pb2
from tests.support.guided import follows
from tests.unit.api.convert.test_request import MODEL

Constraint = generation_pb2.Constraint
YES_NO = 'root ::= "yes" | "no"'
SCHEMA = '{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}'


def test_nothing_is_no_guide() -> None:
    assert constraint_guide(Constraint(), MODEL) is None


def test_gbnf_stays_as_it_is() -> None:
    assert constraint_guide(Constraint(gbnf=YES_NO), MODEL) == GbnfGuide(YES_NO)


@pytest.mark.parametrize(
    ("constraint", "texts", "others"),
    [
        (Constraint(json_schema=SCHEMA), ('{"a":1}', '{"a": 1}', '{\n  "a": 1\n}'), ("{}", "[1]", '{"a":1,"b":2}')),
        (Constraint(json_schema="{}"), ('{"a":1}', "[]", "7", '""'), ("", "{")),
        (
            Constraint(json_schema=SCHEMA, json_style=generation_pb2.JsonStyle(disable_any_whitespace=True)),
            ('{"a":1}',),
            ('{"a": 1}',),
        ),
        (
            Constraint(json_schema=SCHEMA, json_style=generation_pb2.JsonStyle(whitespace_pattern="_")),
            ('{"a":_1}',),
            ('{"a": 1}',),
        ),
        (
            Constraint(
                json_schema='{"type":"object","properties":{"a":{}}}',
                json_style=generation_pb2.JsonStyle(disable_additional_properties=True),
            ),
            ('{"a":1}', "{}"),
            ('{"b":1}',),
        ),
        (
            Constraint(
                json_schema='{"type":"array","items":{"type":"integer"},"uniqueItems":true}',
                json_style=generation_pb2.JsonStyle(lenient=True),
            ),
            ("[1]", "[1, 1]"),
            ('["a"]',),
        ),
        (Constraint(json_object=generation_pb2.JsonObject()), ("{}", '{"a": [1.5e3, null, "\\n"]}'), ("[]", "1", "")),
        (Constraint(choice=generation_pb2.Choices(texts=["yes", "no"])), ("yes", "no"), ("yesno", "", "y", "maybe")),
        (Constraint(choice=generation_pb2.Choices(texts=[""])), ("",), ("a",)),
        (Constraint(choice=generation_pb2.Choices(texts=['a"/\\\n\0b', "日本"])), ('a"/\\\n\0b', "日本"), ("日",)),
        (Constraint(regex="[a-c]{2}|x/y"), ("ab", "x/y"), ("a", "abc", "x")),
        (Constraint(regex=r"^\d+\$$"), ("12$",), ("12", "$", "٣$")),
        (Constraint(regex=r"a\\$"), ("a\\",), ("a", "a$", "a\\$")),
        (Constraint(regex=r"a\$"), ("a$",), ("a",)),
        (Constraint(regex='"/\n"'), ('"/\n"',), ("/",)),
        (Constraint(lark='start: "a" B\nB: /[0-9]+/'), ("a1", "a12"), ("a", "1")),
        (Constraint(gbnf='%llguidance {}\nstart: "a"'), ("a",), ("b",)),
    ],
)
def test_other_constraints_allow_what_they_say(
    constraint: generation_pb2.Constraint, texts: tuple[str, ...], others: tuple[str, ...]
) -> None:
    guide = constraint_guide(constraint, MODEL)
    assert isinstance(guide, LarkGuide)
    assert guide.gbnf == ""
    assert [text for text in texts if not follows(guide, text)] == []
    assert [text for text in others if follows(guide, text)] == []


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
            Constraint(choice=generation_pb2.Choices(texts=["x" * 300_000])),
            "constraint.choice.texts",
            "has 300000 bytes; allowed are at most 262144",
        ),
        (Constraint(json_schema="{"), "constraint.json_schema", "is no JSON"),
        (Constraint(json_schema='{"uniqueItems":true}'), "constraint.json_schema", "/uniqueItems is not supported"),
        (Constraint(regex="(?=a)"), "constraint.regex", "look-around"),
        (Constraint(regex=""), "constraint.regex", "is empty"),
        (Constraint(regex="a\\"), "constraint.regex", "ends with a backslash"),
        (Constraint(lark="start: x"), "constraint.lark", 'at 1(8): unknown name: "x"'),
        (Constraint(gbnf="%llguidance {}\nroot: x"), "constraint.gbnf", "no start rule found"),
        (
            Constraint(lark='start: %json {"items":{"not":{}}}'),
            "constraint.lark",
            "/items/not is not supported",
        ),
    ],
)
def test_a_constraint_that_cannot_be_used_is_refused_by_path(
    constraint: generation_pb2.Constraint, field: str, problem: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        constraint_guide(constraint, MODEL)
    assert caught.value.field == field
    assert problem in caught.value.problem


def test_the_grammar_reaches_the_engine_and_the_settings_in_force() -> None:
    prepared = generation_request(generation_pb2.GenerateRequest(text="Hi", constraint=Constraint(gbnf=YES_NO)), MODEL)
    assert prepared.guide == GbnfGuide(YES_NO)
    assert generation_settings(prepared, MODEL, seed=1, n_keep=0, max_tokens=None).grammar == YES_NO


def test_settings_show_no_grammar_that_is_not_gbnf() -> None:
    request = generation_pb2.GenerateRequest(text="Hi", constraint=Constraint(json_schema="{}"))
    prepared = generation_request(request, MODEL)
    assert prepared.guide is not None
    assert generation_settings(prepared, MODEL, seed=1, n_keep=0, max_tokens=None).grammar == ""
