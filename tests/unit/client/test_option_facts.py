"""The facts that the protos declare about options, and the tables made of them."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest

from slotline.options import BY_NAME, BY_PATH, OPTIONS, OptionFacts, Range
from slotline.options.plain_options import PlainOptions
from slotline.v1 import generation_pb2, options_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Fields of a request that are its prompt, say who asks, or hold other options.
NO_OPTIONS = {
    *("request_id", "model", "text", "token_ids", "chat", "parts", "infill", "extra"),
    *("sampling", "sampling_defaults", "stop", "output", "constraint", "cache"),
    *("constraint.json_schema", "constraint.json_object", "constraint.json_style"),
    *("constraint.choice", "constraint.regex", "constraint.lark"),
    *("output.parse_output", "output.reasoning_format"),
}


def fields() -> Iterator[tuple[str, Any]]:
    """Paths and descriptors of the fields of a request and of the messages that hold its options."""
    request = generation_pb2.GenerateRequest.DESCRIPTOR
    yield from ((field.name, field) for field in request.fields)
    for name in ("sampling", "stop", "output", "constraint", "cache"):
        message = request.fields_by_name[name].message_type
        assert message is not None
        yield from ((f"{name}.{field.name}", field) for field in message.fields)


def declared(field: Any) -> options_pb2.Option:
    """What the descriptor of a field says."""
    found: options_pb2.Option = field.GetOptions().Extensions[options_pb2.option]
    return found


def test_every_option_of_a_request_is_declared() -> None:
    with_facts = {path for path, field in fields() if field.GetOptions().HasExtension(options_pb2.option)}
    assert with_facts == set(BY_PATH)
    assert {path for path, _ in fields()} - with_facts == NO_OPTIONS


@pytest.mark.parametrize(("path", "field"), [one for one in fields() if one[0] in BY_PATH])
def test_descriptors_tell_the_same_as_the_table(path: str, field: Any) -> None:
    facts, option = BY_PATH[path], declared(field)
    assert facts.name == (option.name or field.name)
    assert facts.help.startswith(option.help)
    assert facts.label == option.label
    assert facts.truncates == option.truncates
    match option.WhichOneof("default"):
        case "number":
            assert (facts.default, facts.is_scalar) == (option.number, True)
        case "flag":
            assert (facts.default, facts.kind) == (option.flag, "boolean")
        case "names":
            assert facts.default == tuple(option.names.names)
        case None:
            assert facts.default is None
    for name in ("max", "above"):
        assert getattr(facts.allowed, name) == (
            getattr(option.allowed, name) if option.allowed.HasField(name) else None
        )


@pytest.mark.parametrize("facts", OPTIONS, ids=[facts.name for facts in OPTIONS])
def test_facts_are_complete_and_of_one_mind(facts: OptionFacts) -> None:
    assert re.fullmatch(r"[A-Z].*\.", facts.help)
    assert bool(facts.group) == bool(facts.label)
    if facts.kind in ("number", "integer") and isinstance(facts.default, int | float):
        assert facts.default in facts.allowed
        assert facts.default in facts.sensible
    if facts.truncates:
        samplers = BY_NAME["samplers"].default
        assert isinstance(samplers, tuple)
        assert facts.field in samplers


def test_plain_options_have_the_types_of_their_fields() -> None:
    kinds = {"number": float, "integer": int, "boolean": bool, "text": str}
    hints = get_type_hints(PlainOptions)
    for path, facts in BY_PATH.items():
        if facts.kind in kinds and path not in ("overflow", "constraint.gbnf"):
            assert hints.pop(facts.field) is kinds[facts.kind], path
    assert not hints


def test_ranges_know_what_is_inside() -> None:
    assert 0 in Range()
    assert (-1 in Range(min=-1), -2 in Range(min=-1)) == (True, False)
    assert (0 in Range(above=0), 0.1 in Range(above=0)) == (False, True)
    assert (1 in Range(max=1), 2 in Range(max=1)) == (True, False)
    assert Range(max=1).within(Range(above=0, max=9)) == Range(above=0, max=1)
    assert Range(min=1).within(Range(above=0, max=9)) == Range(min=1, max=9)


@pytest.mark.parametrize(
    ("name", "off", "on"),
    [
        ("top_k", [0, -7], [1]),
        ("top_p", [1, 1.5], [0.9, 0]),
        ("repeat_penalty", [1], [0.9, 1.1]),
        ("seed", [], [-1, 0]),
    ],
)
def test_an_option_knows_when_it_is_off(name: str, off: list[float], on: list[float]) -> None:
    assert all(BY_NAME[name].is_off(value) for value in off)
    assert not any(BY_NAME[name].is_off(value) for value in on)


def test_the_facts_come_without_protobuf() -> None:
    code = "import slotline.options, sys; print('google.protobuf' in sys.modules, len(slotline.options.OPTIONS) > 30)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]
