"""Grammars and schemas: answers obey them, wrong ones are told, and a schema can become a grammar."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, expect

if TYPE_CHECKING:
    from tests.browser.chat_page import ChatPage
    from tests.browser.conftest import Visitor
    from tests.support.server import Server

SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}, "married": {"type": "boolean"}}}


def test_an_answer_obeys_the_grammar(server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    chat.open_grammar()
    chat.textbox("Grammar").fill('root ::= "never" | "always"')
    shown = chat.ask("How often does the sun rise?")
    expect(shown.locator("p", has_text="never").or_(shown.locator("p", has_text="always"))).to_be_visible()
    assert chat.bodies("/v1/chat/completions")[0]["grammar"] == 'root ::= "never" | "always"'


def test_a_wrong_grammar_is_told_at_its_field(server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    chat.watch.announce("400")
    chat.open_grammar()
    field = chat.textbox("Grammar")
    field.fill('root ::= "open')
    field.blur()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(chat.options.get_by_role("alert")).to_contain_text("column 10: this literal is not closed")
    field.fill('root ::= "closed"')
    field.blur()
    expect(chat.options.get_by_role("alert")).to_have_count(0)


def test_a_schema_is_converted_and_the_answer_is_such_json(server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    chat.open_schema()
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    chat.textbox("Schema").fill(json.dumps(SCHEMA))
    chat.textbox("Property order").fill("married, age")
    chat.button("Convert to grammar").click()
    chat.open_grammar()
    expect(chat.textbox("Grammar")).not_to_have_value("")
    grammar = chat.textbox("Grammar").input_value()
    assert grammar.index("married") < grammar.index("age")
    chat.set_option("Temperature", "0")
    chat.ask("Is Ann, 40, married? As JSON.").get_by_role("button", name="Copy", exact=True).click()
    told = json.loads(chat.page.evaluate("() => navigator.clipboard.readText()"))
    assert list(told) == ["married", "age"]
    assert type(told["married"]) is bool


def test_what_is_no_schema_is_told(server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    chat.open_schema()
    field = chat.textbox("Schema")
    for wrong in ("{", '{"type": "elephant"}'):
        field.fill(wrong)
        chat.button("Convert to grammar").click()
        expect(field).to_have_attribute("aria-invalid", "true")
    chat.open_grammar()
    expect(chat.textbox("Grammar")).to_have_value("")


def copied(chat: ChatPage, shown: Locator) -> str:
    """The text of an answer, as its button copies it."""
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.get_by_role("button", name="Copy", exact=True).click()
    return str(chat.page.evaluate("() => navigator.clipboard.readText()"))


@pytest.mark.parametrize("seed", ["1", "2"])
def test_answers_obey_a_schema_that_the_server_compiles(seed: str, server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    chat.set_option("Seed", seed)
    chat.switch_on("Answers obey the schema")
    chat.button("Choice").click()
    told = json.loads(copied(chat, chat.ask("How was the concert?")))
    assert list(told) == ["mood", "reason"]
    assert told["mood"] in ("good", "bad", "mixed")
    schema = chat.bodies("/v1/chat/completions")[0]["response_format"]["json_schema"]["schema"]
    assert schema["required"] == ["mood", "reason"]
    assert "grammar" not in chat.bodies("/v1/chat/completions")[0]
    expect(chat.option("Schema")).not_to_have_attribute("aria-invalid", "true")


def test_what_the_server_cannot_compile_is_told_at_the_field(server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    chat.watch.announce("400")
    chat.switch_on("Answers obey the schema")
    chat.set_option("Schema", '{"type": "array", "uniqueItems": true}')
    field = chat.option("Schema")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("/uniqueItems"))
    chat.set_option("Schema", '{"type": "array", "maxItems": 2}')
    expect(field).not_to_have_attribute("aria-invalid", "true")


def test_a_schema_holds_for_completions_too(server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    chat.switch_on("Answers obey the schema")
    chat.set_option("Schema", '{"enum": ["yes", "no"]}')
    chat.go("Completion")
    chat.textbox("Text").fill("Is it raining? ")
    chat.button("Generate").click()
    expect(chat.textbox("Text")).to_have_value(re.compile(r'^Is it raining\? "(yes|no)"$'))


def test_only_one_of_grammar_and_schema_can_hold(server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    chat.open_grammar()
    chat.textbox("Grammar").fill('root ::= "a"')
    chat.switch_on("Answers obey the schema")
    chat.set_option("Schema", "{}")
    expect(chat.option("Schema")).to_have_accessible_description(re.compile("There is a grammar, too"))
    chat.send("Hello")
    expect(chat.page.get_by_role("alert").filter(has_text="Nothing was sent")).to_be_visible()
    assert chat.bodies("/v1/chat/completions") == []
