"""Schemas, tools and thinking as people write them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from slotline.cli.chat.dialogue_options import DIALOGUE_OPTIONS, request_fields, schema_file, tools_file
from slotline.cli.chat.sampling import SAMPLING_OPTIONS, SETTINGS, convert, option_named, setting
from slotline.cli.options.values import InvalidValue

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOLS = [{"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("json_schema", json.dumps(SCHEMA), SCHEMA),
        ("tools", json.dumps(TOOLS), TOOLS),
        ("tool_choice", "required", "required"),
        ("tool_choice", "f", {"type": "function", "function": {"name": "f"}}),
        ("reasoning_format", "none", "none"),
        ("enable_thinking", "off", False),
        ("reasoning_effort", "low", "low"),
        ("reasoning_budget_tokens", "-1", -1),
    ],
)
def test_values_as_people_write_them(name: str, typed: str, value: object) -> None:
    assert convert(name, typed) == value
    assert setting("--set", f"{name}={typed}") == (name, value)


def test_schemas_and_tools_come_from_files(tmp_path: Path) -> None:
    schema, tools = tmp_path / "schema.json", tmp_path / "tools.json"
    schema.write_text(json.dumps(SCHEMA))
    tools.write_text(json.dumps(TOOLS))
    assert convert("json_schema", f"@{schema}") == schema_file("--schema", str(schema)) == SCHEMA
    assert convert("tools", f"@{tools}") == tools_file("--tools", str(tools)) == TOOLS


@pytest.mark.parametrize(
    ("name", "typed", "problem"),
    [
        ("json_schema", "{", "json_schema: is not JSON: Expecting property name enclosed in double quotes at line 1, "),
        ("json_schema", '{"a": NaN}', "json_schema: is not JSON: NaN is no value of JSON"),
        ("json_schema", "[]", "json_schema: is []; allowed is a JSON Schema, which is an object"),
        ("json_schema", "@/nothing", "json_schema /nothing: cannot be read: No such file or directory"),
        ("tools", "{}", "tools: holds no tools; allowed is an array of them, as in the OpenAI API"),
        ("tools", "[]", "tools: holds no tools; "),
        ("tools", '[{"name": "f"}]', "tools: [0] declares no function; allowed is "),
        ("reasoning_format", "maybe", "reasoning_format 'maybe' is not known; allowed are none, auto, deepseek and "),
        ("enable_thinking", "perhaps", "enable_thinking 'perhaps' is not known"),
        ("reasoning_budget_tokens", "-2", "reasoning_budget_tokens -2 is out of range"),
        ("schema", "{}", "schema is no option; did you mean json_schema?"),
    ],
)
def test_mistakes_name_the_option_and_what_is_allowed(name: str, typed: str, problem: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        convert(name, typed)
    assert str(caught.value).startswith(problem)
    assert "\n" not in str(caught.value)


def test_a_mistake_in_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{\n  "type": object\n}')
    with pytest.raises(InvalidValue) as caught:
        schema_file("--schema", str(path))
    assert str(caught.value) == f"--schema {path}: is not JSON: Expecting value at line 2, column 11"


def test_servers_get_the_names_that_they_know() -> None:
    settings = {"top_k": 1, "json_schema": SCHEMA, "enable_thinking": False, "tools": TOOLS}
    assert request_fields(settings) == {
        "top_k": 1,
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
        "chat_template_kwargs": {"enable_thinking": False},
        "tools": TOOLS,
    }
    assert "json_schema" in settings


@pytest.mark.parametrize("name", DIALOGUE_OPTIONS)
def test_every_option_is_explained_in_a_sentence(name: str) -> None:
    assert option_named(name).help.endswith(".")
    assert list(SETTINGS) == [*SAMPLING_OPTIONS, *DIALOGUE_OPTIONS]
