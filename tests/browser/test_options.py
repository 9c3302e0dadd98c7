"""Options: what is set reaches the request, is kept, and comes in sets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.browser.chat_page import ChatPage
    from tests.browser.conftest import Visitor
    from tests.support.fake_core import FakeCore

CHAT = "/v1/chat/completions"


@pytest.fixture
def chat(url: str, visit: Visitor) -> ChatPage:
    """A page on the scripted core."""
    return visit(url)


def test_options_reach_the_request(chat: ChatPage, core: FakeCore) -> None:
    for label, value in {"Temperature": "0.3", "Seed": "42", "Most tokens": "33", "Top-k": "7"}.items():
        chat.set_option(label, value)
    chat.ask("Hello")
    (body,) = chat.bodies(CHAT)
    assert {name: body[name] for name in ("temperature", "seed", "n_predict", "top_k")} == {
        "temperature": 0.3,
        "seed": 42,
        "n_predict": 33,
        "top_k": 7,
    }
    sampling = core.calls[0].request.sampling
    assert (round(sampling.temperature, 5), sampling.seed, sampling.top_k) == (0.3, 42, 7)
    assert core.calls[0].request.stop.max_tokens == 33


def test_a_body_holds_only_what_is_not_the_servers_own_default(chat: ChatPage) -> None:
    chat.ask("Hello")
    (body,) = chat.bodies(CHAT)
    assert body["stream"] is True
    assert "mirostat" not in body
    assert "grammar" not in body


def test_stop_texts_end_the_answer(chat: ChatPage, core: FakeCore) -> None:
    chat.set_option("Stop texts", "END\n\\n\\n")
    chat.ask("Hello")
    assert chat.bodies(CHAT)[0]["stop"] == ["END", "\n\n"]
    assert {"END", "\n\n"} <= set(core.calls[0].request.stop.texts)


def test_a_reload_keeps_the_options(chat: ChatPage) -> None:
    chat.set_option("Temperature", "0.3")
    chat.reload()
    expect(chat.option("Temperature")).to_have_value("0.3")


def test_a_value_out_of_range_says_what_is_allowed_and_is_not_sent(chat: ChatPage) -> None:
    chat.set_option("Temperature", "99")
    field = chat.option("Temperature")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(re.compile("from 0 to 5|0 and 5|0 to 5"))
    chat.ask("Hello")
    assert chat.bodies(CHAT)[0]["temperature"] == 0.7


def test_reset_brings_the_defaults_back(chat: ChatPage) -> None:
    chat.set_option("Temperature", "0.3")
    chat.set_option("Top-k", "7")
    chat.button("Reset options").click()
    expect(chat.option("Temperature")).to_have_value("0.7")
    expect(chat.option("Top-k")).to_have_value("40")


def test_a_preset_sets_several_options(chat: ChatPage) -> None:
    preset = chat.open_options().get_by_role("combobox", name="Preset")
    preset.select_option(label="Deterministic")
    expect(chat.option("Temperature")).to_have_value("0")
    chat.ask("Hello")
    assert chat.bodies(CHAT)[0]["temperature"] == 0


def test_a_preset_of_ones_own_is_saved_chosen_and_deleted(chat: ChatPage) -> None:
    chat.set_option("Temperature", "0.31")
    chat.button("Save preset").click()
    name = chat.textbox("Name of the preset")
    name.fill("Mine")
    name.press("Enter")
    preset = chat.options.get_by_role("combobox", name="Preset")
    expect(preset.locator("option:checked")).to_have_text("Mine")
    preset.select_option(label="Balanced")
    expect(chat.option("Temperature")).to_have_value("0.7")
    chat.reload()
    preset = chat.open_options().get_by_role("combobox", name="Preset")
    preset.select_option(label="Mine")
    expect(chat.option("Temperature")).to_have_value("0.31")
    chat.button("Delete preset").click()
    expect(preset.locator("option", has_text="Mine")).to_have_count(0)


def test_every_option_has_a_label_and_a_hint(chat: ChatPage) -> None:
    fields = chat.open_options().locator(".option")
    count = fields.count()
    assert count > 25
    for number in range(count):
        field = fields.nth(number)
        assert field.locator(".hint").text_content()
        assert field.locator("label, .label").first.text_content()
