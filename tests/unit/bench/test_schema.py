"""What the scenario ``schema`` compares is alike: the same texts obey its schema and its grammar."""

from __future__ import annotations

import json

from bench.schema import GRAMMAR, SCHEMA
from service.constraints.compiler import ConstraintCompiler
from service.constraints.spec import ConstraintKind, ConstraintSpec
from service.sampling.gbnf import check_grammar
from tests.support.scripted_core import ByteVocabulary

PERSON = {
    "name": "Ada",
    "age": 36,
    "address": {"street": "Main Street 1", "zip": "12345", "country": "Austria"},
    "tags": ["a", "b"],
    "active": True,
}


def test_the_schema_goes_on_for_longer_than_any_answer() -> None:
    spec = ConstraintSpec(ConstraintKind.JSON_SCHEMA, json.dumps(SCHEMA))
    compiler = ConstraintCompiler.of(ByteVocabulary())
    grammar = compiler.compile(spec, field="json_schema").start()
    compiler.close()
    for byte in json.dumps([PERSON] * 20).removesuffix("]").encode():
        assert grammar.allows(byte)
        grammar.accept(byte)
    assert not grammar.allows(ord("]"))
    assert grammar.allows(ord(","))


def test_the_grammar_can_be_used() -> None:
    check_grammar(GRAMMAR)
    names = {*SCHEMA["items"]["properties"], *SCHEMA["items"]["properties"]["address"]["properties"]}
    assert all(rf"\"{name}\":" in GRAMMAR for name in names)
