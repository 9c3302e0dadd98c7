"""The page for everybody: checked by axe, used with the keyboard alone, on a narrow screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.chat_page import ChatPage, answer
from tests.browser.test_probabilities import TOKENS, likely

if TYPE_CHECKING:
    from tests.browser.conftest import Visitor
    from tests.support.fake_core import FakeCore

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PHONE, DESKTOP = (360, 740), (1280, 800)
VIEWS = ("Chat", "Completion", "Monitor")
LONG = "\n\n".join(
    (
        "# A heading",
        "A very-long-word-" + "x" * 200,
        "```python\n" + "print(1); " * 40 + "\n```",
        "| a | b | c |\n|---|---|---|\n" + "| wide " * 3 + "|",
        "- [a link](https://example.org) and `code`",
    )
)


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    width, height = request.param
    return width, height


def violations(page: ChatPage) -> list[str]:
    """What axe finds: the rule and the elements."""
    found: list[dict[str, Any]] = page.page.evaluate(
        "(tags) => axe.run({runOnly: {type: 'tag', values: tags}}).then((result) => result.violations)", RULES
    )
    return [f"{one['id']}: {node['html']} {node['failureSummary']}" for one in found for node in one["nodes"]]


def has_room(page: ChatPage) -> bool:
    """Whether nothing is wider than the window."""
    script = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    return bool(page.page.evaluate(script))


def test_axe_finds_nothing(
    core: FakeCore, url: str, visit: Visitor, axe: str, size: tuple[int, int], scheme: str
) -> None:
    core.script = lambda request: answer(LONG)
    width, height = size
    page = visit(url, width=width, height=height, scheme=scheme, script=axe)
    expect(page.message).to_be_visible()
    assert violations(page) == []
    page.ask("Hello")
    for view in VIEWS:
        page.go(view)
        expect(page.page.get_by_role("main")).to_be_visible()
        assert violations(page) == [], view
    page.go("Completion")
    page.open_options()
    assert violations(page) == [], "options"


def test_axe_finds_nothing_in_probabilities_and_dialogs(
    core: FakeCore, url: str, visit: Visitor, axe: str, scheme: str
) -> None:
    start, *_, end = answer(*(text for text, _ in TOKENS))
    core.script = lambda request: [start, *(likely(*token) for token in TOKENS), end]
    page = visit(url, scheme=scheme, script=axe)
    page.set_option("Show probabilities", "2")
    page.open_grammar()
    tokens = page.ask("Hello").locator(".token[data-index]")
    assert violations(page) == [], "probabilities"
    tokens.first.click()
    assert violations(page) == [], "alternatives"
    page.page.keyboard.press("Escape")
    page.button("Actions for Hello").click()
    assert violations(page) == [], "menu"
    page.page.get_by_role("menuitem", name="Delete").click()
    assert violations(page) == [], "question"


def test_nothing_is_wider_than_a_phone(core: FakeCore, url: str, visit: Visitor) -> None:
    core.script = lambda request: answer(LONG)
    page = visit(url, width=PHONE[0], height=PHONE[1])
    page.ask("y" * 300)
    for view in VIEWS:
        page.go(view)
        expect(page.page.get_by_role("main")).to_be_visible()
        assert has_room(page), view
    page.go("Chat")
    page.open_options()
    assert has_room(page), "options"


def test_the_conversations_open_on_a_phone_and_close_again(url: str, visit: Visitor) -> None:
    page = visit(url, width=PHONE[0], height=PHONE[1])
    page.ask("apples")
    expect(page.conversations).to_be_hidden()
    page.button("Conversations").click()
    expect(page.conversation("apples")).to_be_visible()
    page.page.keyboard.press("Escape")
    expect(page.conversations).to_be_hidden()
    expect(page.button("Conversations")).to_be_focused()


def test_a_chat_with_the_keyboard_alone(core: FakeCore, url: str, visit: Visitor) -> None:
    core.script = lambda request: answer(f"answer {len(core.calls)}")
    page = visit(url)
    keys = page.page.keyboard
    expect(page.message).to_be_focused()
    keys.type("Hello")
    keys.press("Enter")
    page.wait_for_answer()
    expect(page.message).to_be_focused()
    tab_to(page, "Regenerate", back=True)
    keys.press("Enter")
    expect(page.answers).to_contain_text("answer 2")
    page.wait_for_answer()
    tab_to(page, "Options", back=True)
    keys.press("Enter")
    expect(page.options).to_be_visible()
    tab_to(page, "Temperature")
    keys.type("1")
    keys.press("Tab")


def test_every_stop_of_the_tab_key_is_in_sight_and_has_a_name(url: str, visit: Visitor) -> None:
    page = visit(url)
    page.ask("Hello")
    start_over(page)
    stops: list[dict[str, Any]] = []
    for _ in range(80):
        page.page.keyboard.press("Tab")
        stop = page.focused()
        if stop["tag"] == "body" or (stops and stop == stops[0]):
            break
        stops.append(stop)
    assert [stop["name"] for stop in stops if not stop["isOutlined"]] == []
    names = [stop["name"] for stop in stops]
    assert all(names), stops
    # The order of the eye: views, then options, conversations, and what one writes last.
    order = [names.index(name) for name in ("Chat", "Completion", "Monitor", "Options", "New conversation", "Message")]
    assert order == sorted(order)


def test_the_first_stop_leads_to_the_content(url: str, visit: Visitor) -> None:
    page = visit(url)
    expect(page.message).to_be_visible()
    start_over(page)
    page.page.keyboard.press("Tab")
    assert page.focused()["name"] == "Skip to the content"
    page.page.keyboard.press("Enter")
    expect(page.page.get_by_role("main")).to_be_focused()


def start_over(page: ChatPage) -> None:
    """Put the keyboard where it is before the first Tab; to blur alone would leave the start of the next step."""
    page.page.evaluate(
        "() => { document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex'); }"
    )


def tab_to(page: ChatPage, name: str, *, back: bool = False) -> None:
    """Press Tab until the element of a name has the keyboard."""
    seen = []
    for _ in range(80):
        page.page.keyboard.press("Shift+Tab" if back else "Tab")
        seen.append(page.focused()["name"])
        if seen[-1] == name:
            return
    raise AssertionError(f"{name!r} was not among {seen}")
