"""Chatting: streams, Markdown, stop, regenerate, edit, continue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import grpc
from playwright.sync_api import expect

from tests.browser.chat_page import answer
from tests.support.fake_core import WAIT_S, FakeCore, Hold, Refuse, Step, accepted, delta, finished, whole

if TYPE_CHECKING:
    from slotline.v1.generation_pb2 import GenerateRequest
    from tests.browser.conftest import Visitor
    from tests.support.server import Server

MARKDOWN = """# Title

Some **bold** text with `code` and a list:

- one
- two

```python
print("hello")
```

| a | b |
|---|---|
| 1 | 2 |
"""


def messages(request: GenerateRequest) -> list[tuple[str, str]]:
    """Roles and texts of a chat as the core got it."""
    return [(message.role, "".join(part.text for part in message.content)) for message in request.chat.messages]


def test_the_model_answers_and_the_answer_has_statistics(server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    shown = chat.ask("What is the capital of France? Answer in one word.")
    expect(chat.questions).to_contain_text("capital of France")
    assert len(shown.inner_text()) > len("Assistant")
    expect(shown).to_contain_text(re.compile(r"\d+ tokens?\b"))
    expect(shown).to_contain_text(re.compile(r"tokens/s|tokens per second|t/s"))


def test_an_answer_appears_while_it_is_generated(core: FakeCore, url: str, visit: Visitor) -> None:
    core.script = lambda request: [accepted(), delta("Once "), delta("upon"), Hold(), *answer(" a time")[1:]]
    chat = visit(url)
    chat.send("Tell me")
    expect(chat.answers).to_contain_text("Once upon")
    expect(chat.button("Stop")).to_be_visible()
    expect(chat.message).to_have_value("")
    core.open(core.wait_for_call())
    expect(chat.wait_for_answer()).to_contain_text("Once upon a time")


def test_markdown_is_shown_as_it_is_meant(core: FakeCore, url: str, visit: Visitor) -> None:
    core.script = lambda request: answer(*re.findall(r".{1,7}", MARKDOWN, re.DOTALL))
    chat = visit(url)
    shown = chat.ask("Show")
    expect(shown.get_by_role("heading", name="Title")).to_be_visible()
    expect(shown.locator("strong")).to_have_text("bold")
    expect(shown.get_by_role("listitem")).to_have_text(["one", "two"])
    expect(shown.locator("pre code")).to_contain_text('print("hello")')
    expect(shown.get_by_role("cell")).to_have_text(["1", "2"])


def test_code_and_answers_are_copied(core: FakeCore, url: str, visit: Visitor) -> None:
    core.script = lambda request: answer(MARKDOWN)
    chat = visit(url)
    chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown = chat.ask("Show")
    shown.get_by_role("button", name="Copy code").click()
    chat.page.wait_for_function(
        "async (text) => (await navigator.clipboard.readText()).trim() === text", arg='print("hello")'
    )
    shown.get_by_role("button", name="Copy", exact=True).click()
    chat.page.wait_for_function(
        "async (text) => (await navigator.clipboard.readText()).trim() === text", arg=MARKDOWN.strip()
    )


def test_stop_keeps_what_came_and_ends_the_work_of_the_core(core: FakeCore, url: str, visit: Visitor) -> None:
    core.script = lambda request: [accepted(), delta("Kept"), Hold()]
    chat = visit(url)
    chat.send("Go")
    expect(chat.answers).to_contain_text("Kept")
    chat.button("Stop").click()
    chat.wait_until_idle()
    expect(chat.answers).to_contain_text("Kept")
    assert core.wait_for_call().cancelled.wait(WAIT_S)


def test_escape_stops(core: FakeCore, url: str, visit: Visitor) -> None:
    core.script = lambda request: [accepted(), delta("Kept"), Hold()]
    chat = visit(url)
    chat.send("Go")
    expect(chat.answers).to_contain_text("Kept")
    chat.page.keyboard.press("Escape")
    chat.wait_until_idle()
    assert core.wait_for_call().cancelled.wait(WAIT_S)


def test_shift_enter_is_a_new_line_and_nothing_sends_nothing(core: FakeCore, url: str, visit: Visitor) -> None:
    chat = visit(url)
    chat.message.press("Enter")
    chat.message.press_sequentially("one")
    chat.message.press("Shift+Enter")
    chat.message.press_sequentially("two")
    chat.message.press("Enter")
    chat.wait_for_answer()
    assert [messages(call.request)[-1] for call in core.calls] == [("user", "one\ntwo")]


def test_regenerate_asks_the_same_again(core: FakeCore, url: str, visit: Visitor) -> None:
    core.script = lambda request: answer(f"answer {len(core.calls)}")
    chat = visit(url)
    chat.ask("Hello")
    expect(chat.answers).to_contain_text("answer 1")
    chat.answers.get_by_role("button", name="Regenerate").click()
    expect(chat.answers).to_contain_text("answer 2")
    chat.wait_for_answer()
    assert messages(core.calls[0].request) == messages(core.calls[1].request)


def test_the_next_question_comes_with_all_that_was_said(core: FakeCore, url: str, visit: Visitor) -> None:
    core.script = lambda request: answer("Hi there")
    chat = visit(url)
    chat.ask("Hello")
    chat.ask("And now?", 2)
    said = [("user", "Hello"), ("assistant", "Hi there"), ("user", "And now?")]
    assert messages(core.calls[1].request)[-3:] == said


def test_an_edited_question_drops_what_followed_it(core: FakeCore, url: str, visit: Visitor) -> None:
    core.script = lambda request: answer(f"answer {len(core.calls)}")
    chat = visit(url)
    chat.ask("First")
    chat.ask("Second", 2)
    chat.questions.first.get_by_role("button", name="Edit").click()
    field = chat.textbox("Edit message")
    expect(field).to_have_value("First")
    field.fill("Changed")
    chat.button("Save and answer").click()
    expect(chat.answers).to_have_count(1)
    expect(chat.answers).to_contain_text("answer 3")
    chat.wait_for_answer()
    expect(chat.questions).to_have_count(1)
    expect(chat.questions).to_contain_text("Changed")
    assert messages(core.calls[2].request)[-1] == ("user", "Changed")


def test_a_cancelled_edit_changes_nothing(core: FakeCore, url: str, visit: Visitor) -> None:
    chat = visit(url)
    chat.ask("First")
    chat.questions.get_by_role("button", name="Edit").click()
    chat.textbox("Edit message").fill("Changed")
    chat.button("Cancel").click()
    expect(chat.questions).to_contain_text("First")
    assert len(core.calls) == 1


def test_a_cut_answer_is_continued(core: FakeCore, url: str, visit: Visitor) -> None:
    texts = [whole("It was a dark"), answer(" and stormy night")]
    core.script = lambda request: texts[len(core.calls) - 1]
    chat = visit(url)
    chat.ask("Begin")
    chat.answers.get_by_role("button", name="Continue").click()
    expect(chat.answers).to_contain_text("It was a dark and stormy night")
    chat.wait_for_answer()
    assert any("It was a dark" in text for _, text in messages(core.calls[1].request))


def test_the_system_prompt_comes_first(core: FakeCore, url: str, visit: Visitor) -> None:
    chat = visit(url)
    chat.system_prompt().fill("Answer like a pirate.")
    chat.ask("Hello")
    assert messages(core.calls[0].request) == [("system", "Answer like a pirate."), ("user", "Hello")]


def test_an_overloaded_server_is_a_note_and_the_question_stays(core: FakeCore, url: str, visit: Visitor) -> None:
    refusals: list[list[Step]] = [
        [Refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "as many requests wait as may", retry_after_s=2)],
        answer("Now it works"),
    ]
    core.script = lambda request: refusals[len(core.calls) - 1]
    chat = visit(url)
    chat.watch.announce("429")
    chat.send("Hello")
    expect(chat.page.get_by_text("as many requests wait as may").first).to_be_visible()
    chat.wait_until_idle()
    expect(chat.questions).to_contain_text("Hello")
    chat.answers.get_by_role("button", name="Regenerate").click()
    expect(chat.answers).to_contain_text("Now it works")


def test_an_error_in_the_middle_keeps_what_came(core: FakeCore, url: str, visit: Visitor) -> None:
    core.script = lambda request: [
        accepted(),
        delta("Half an"),
        Refuse(grpc.StatusCode.INTERNAL, "INTERNAL", "the engine failed"),
    ]
    chat = visit(url)
    chat.send("Hello")
    expect(chat.page.get_by_text("the engine failed").first).to_be_visible()
    chat.wait_until_idle()
    expect(chat.answers).to_contain_text("Half an")


def test_letters_of_several_bytes_stay_whole(core: FakeCore, url: str, visit: Visitor) -> None:
    text = "Grüße, 世界 \N{GRINNING FACE}"
    core.script = lambda request: [accepted(), *map(delta, text), finished(len(text))]
    chat = visit(url)
    expect(chat.ask("Hello")).to_contain_text(text)
