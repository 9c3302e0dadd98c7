"""Constraints that are meant to hurt: each is refused, or compiled and followed within bounds. None ends the process.

How long the worst of them take is in docs/adr/0045.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.convert.constraint import constraint_guide
from service.constraints.compiler import ConstraintCompiler
from service.errors import InvalidArgument
from service.sampling.grammar import GrammarFailed
from service.testing.scripted_model import EOS, N_VOCAB
from slotline.v1 import generation_pb2
from tests.support.properties import fuzzed
from tests.support.scripted_core import ByteVocabulary
from tests.support.served import served_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.sampling.grammar import Guide

Constraint = generation_pb2.Constraint
MODEL = served_model()
N_STEPS = 40


def schema(value: Any) -> Constraint:
    return Constraint(json_schema=value if isinstance(value, str) else json.dumps(value))


def lark(text: str) -> Constraint:
    return Constraint(lark=text)


def regex(text: str) -> Constraint:
    return Constraint(regex=text)


def required(make: Callable[[int], Any], n: int) -> Constraint:
    names = [f"p{number}" for number in range(n)]
    properties = {name: make(number) for number, name in enumerate(names)}
    return schema({"type": "object", "properties": properties, "required": names})


def chain(make: Callable[[str], Any], n: int) -> Constraint:
    """Definitions, each of which refers to the next one."""
    definitions = {f"d{number}": make(f"#/$defs/d{number + 1}") for number in range(n)}
    return schema({"$defs": {**definitions, f"d{n}": {"type": "integer"}}, "$ref": "#/$defs/d0"})


def rules(make: Callable[[int], str], n: int, last: str) -> Constraint:
    return lark("\n".join(["start: " + make(0).partition(":")[0], *(make(number) for number in range(n)), last]))


def follow(guide: Guide) -> None:
    """Some random steps."""
    grammar, choices = guide.start(ByteVocabulary()), random.Random(1)
    for _ in range(N_STEPS):
        row = np.zeros(N_VOCAB, np.float32)
        try:
            grammar.mask(row)
            allowed = [int(token) for token in np.flatnonzero(row == 0) if token != EOS]
            if not allowed:
                break
            grammar.accept(choices.choice(allowed))
        except GrammarFailed:
            break
    grammar.close()


REFUSED = {
    "an array in itself 2,000 times": schema('{"items":' * 2000 + "{}" + "}" * 2000),
    "an array in itself 20,000 times": schema('{"items":' * 20_000 + "{}" + "}" * 20_000),
    "a schema of 300,000 bytes": schema({"description": "x" * 300_000}),
    "8,000 properties that may be left out": schema({"properties": {f"p{number}": {} for number in range(8000)}}),
    "an enum of 24,000 texts": schema({"enum": [f"value{number}" for number in range(24_000)]}),
    "parentheses in Lark": lark("start: " + "(" * 30_000 + '"a"' + ")" * 30_000),
    "brackets in Lark": lark("start: " + "[" * 30_000 + '"a"' + "]" * 30_000),
    "parentheses in an expression": regex("(" * 4000 + "a" + ")" * 4000),
    "an expression of a megabyte": regex("a" * 1_000_000),
    "a pattern that is long": schema({"pattern": "a?" * 8000 + "a" * 8000}),
    "multiples that need many states": required(lambda number: {"multipleOf": 99_991 - number}, 50),
    "patterns that overlap": schema({"patternProperties": {f"^a{number}.*b": {} for number in range(300)}}),
    "alternatives times alternatives": schema(
        {
            "allOf": [
                {"anyOf": [{"type": "object", "required": [f"a{number}_{other}"]} for other in range(4)]}
                for number in range(12)
            ]
        }
    ),
    "references merged again and again": schema(
        {
            "$defs": {
                "d0": {"type": "integer"},
                **{
                    f"d{number + 1}": {
                        "properties": {name: {"$ref": f"#/$defs/d{number}", "minimum": 1} for name in "xy"}
                    }
                    for number in range(18)
                },
            },
            "$ref": "#/$defs/d18",
        }
    ),
    "many patterns of properties": schema({"patternProperties": {f"^a{number:05}$": {} for number in range(400)}}),
    "a terminal of terminals": lark("start: A\nA: " + "B " * 4000 + "\nB: " + "C " * 4000 + "\nC: /a?/"),
    "a terminal that doubles": lark(
        "start: A0\n" + "\n".join(f"A{n}: A{n + 1} A{n + 1}" for n in range(40)) + "\nA40: /a?/"
    ),
    "a long expression in Lark": lark("start: /" + "a?" * 15_000 + "a" * 15_000 + "/"),
    "a schema that is itself": schema({"$ref": "#"}),
    "two schemas that are each other": schema(
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}
    ),
    "multiples of multiples": schema({"allOf": [{"multipleOf": 9973}, {"multipleOf": 9967}, {"multipleOf": 9949}]}),
    "a schema in Lark that could not be sent alone": lark('start: %json {"items": {"multipleOf": 99991}}'),
}


@pytest.mark.parametrize("constraint", REFUSED.values(), ids=REFUSED)
def test_what_would_take_too_much_is_refused(constraint: Constraint) -> None:
    with pytest.raises(InvalidArgument) as caught:
        constraint_guide(constraint, MODEL)
    assert caught.value.field == f"constraint.{constraint.WhichOneof('kind')}"


BOUNDED = {
    "long expressions in Lark": lark("start: A0|A1|A2\n" + "\n".join(f"A{n}: /{'a?' * 3900}{n}/" for n in range(3))),
    "a chain of 5,000 rules": rules(lambda number: f"a{number}: a{number + 1}", 5000, 'a5000: "x"'),
    "a chain of 150 terminals": rules(lambda number: f'A{number}: A{number + 1} "x"', 150, 'A150: "x"'),
    "a chain of 5,000 references": chain(lambda target: {"$ref": target}, 5000),
    "a chain of 3,500 objects": chain(lambda target: {"type": "object", "properties": {"x": {"$ref": target}}}, 3500),
    "a tree of 2^40 objects": schema(
        {
            "$defs": {
                "d0": {"type": "integer"},
                **{
                    f"d{number + 1}": {
                        "type": "object",
                        "properties": {name: {"$ref": f"#/$defs/d{number}"} for name in "xy"},
                        "required": ["x", "y"],
                    }
                    for number in range(40)
                },
            },
            "$ref": "#/$defs/d40",
        }
    ),
    "an exponential expression": regex("(a|b)*a" + "(a|b)" * 24),
    "repetitions of repetitions": regex("((((a{1,100}){1,100}){1,100}){1,100})"),
    "an expression as long as allowed": regex("a?" * 2700 + "a" * 2700),
    "letters of all scripts": regex(r"\p{L}{1,1000}(\p{N}|\p{L}){1,1000}"),
    "an ambiguous grammar": lark('start: e\ne: e e | "a" | ""'),
    "rules that repeat rules": lark('start: a{1,100000}\na: b{1,100000}\nb: "x"{1,100000}\n'),
    "many literals": lark("start: " + " | ".join(f'"w{number}"' for number in range(6000))),
    "an enum of 10,000 texts": schema({"enum": [f"value{number}" for number in range(10_000)]}),
    "10,000 choices": Constraint(choice=generation_pb2.Choices(texts=[f"text {n}" for n in range(10_000)])),
    "2,000 objects to choose from": schema(
        {"anyOf": [{"properties": {"n": {"const": f"f{n}"}}, "required": ["n"]} for n in range(1000)]}
    ),
    "400 properties that may be left out": schema(
        {"type": "object", "properties": {f"p{number}": {"type": "integer"} for number in range(400)}}
    ),
    "arrays of 1,000,000": schema({"type": "array", "minItems": 1_000_000, "items": {"type": "integer"}}),
    "strings of 100,000,000": schema({"type": "string", "maxLength": 100_000_000}),
    "many patterns": required(lambda number: {"type": "string", "pattern": f"^(a|b)*c(a|b){{{300 + number}}}$"}, 200),
    "many ranges": required(lambda number: {"minimum": 0.123456789 + number, "maximum": 98765.43210123}, 200),
}


@pytest.mark.parametrize("constraint", BOUNDED.values(), ids=BOUNDED)
def test_what_takes_much_is_followed_or_fails(constraint: Constraint) -> None:
    try:
        guide = constraint_guide(constraint, MODEL)
    except InvalidArgument as error:
        assert error.field.startswith("constraint.")
        return
    assert guide is not None
    follow(guide)


_PIECES = ["start: ", "\n", '"a"', "/b+/", "(", ")", "|", "*", "+", "{2,3}", "x", "X", ": ", "%json {}", "%ignore /c/"]
_PIECES += ["<end>", "<[256]>", "<[*]>", "%llguidance {}", "[", "]", "~2", "//", "%regex {}", "&", "é", "\0", "[lazy]"]


@fuzzed
@given(st.lists(st.sampled_from(_PIECES), max_size=20).map("".join))
def test_any_lark_is_refused_or_followed(text: str) -> None:
    try:
        guide = constraint_guide(lark(text), MODEL)
    except InvalidArgument as error:
        assert error.field == "constraint.lark"
        return
    assert guide is not None
    follow(guide)


@fuzzed
@given(st.text(st.sampled_from("ab(){}[]|*+?\\^$.,0129-dwpLé/ \n#:<>&~"), max_size=20))
def test_any_expression_is_refused_or_followed(text: str) -> None:
    try:
        guide = constraint_guide(regex(text), MODEL)
    except InvalidArgument as error:
        assert error.field == "constraint.regex"
        return
    assert guide is not None
    follow(guide)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("type", "items", "properties", "required", "enum", "$ref", "anyOf", "allOf", "minimum"),
                    *("pattern", "format", "$defs", "additionalProperties", "x-guidance", "prefixItems", "maxItems"),
                    *("multipleOf", "$schema", "$id"),
                ]
            ),
            inner | st.sampled_from(["object", "array", "string", "#", "#/$defs", "date"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@fuzzed
@given(_JSON)
def test_any_json_is_refused_or_followed(value: object) -> None:
    try:
        guide = constraint_guide(schema(json.dumps(value)), MODEL)
    except InvalidArgument as error:
        assert error.field == "constraint.json_schema"
        return
    assert guide is not None
    follow(guide)


def test_compilers_end_with_their_process() -> None:
    """Threads are no reason to go on."""
    compiler = ConstraintCompiler.of(ByteVocabulary())
    compiler.prepare()
    compiler.close()
    compiler.close()
