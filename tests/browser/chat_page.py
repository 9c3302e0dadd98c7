"""The page as a person uses it: everything is found by its role and name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Locator, Page, expect

from slotline.v1.generation_pb2 import FINISH_REASON_STOP
from tests.support.fake_core import Step, accepted, delta, finished

if TYPE_CHECKING:
    from tests.browser.watch import Watch

#: One bound for every wait in these tests: generous, so that only a hang reaches it.
PATIENCE_MS = 20_000


def answer(*texts: str) -> list[Step]:
    """An answer of the scripted core that the model ended itself."""
    return [accepted(), *(delta(text) for text in texts), finished(len(texts), FINISH_REASON_STOP)]


class ChatPage:
    """One tab.

    Args:
        page: the tab.
        url: the server, without a slash at its end.
        watch: watches the tab's profile.
    """

    def __init__(self, page: Page, url: str, watch: Watch) -> None:
        self.page = page
        self.url = url
        self.watch = watch

    def open(self, path: str = "/") -> None:
        """Go to a path of the server."""
        self.page.goto(self.url + path)

    def another_tab(self) -> ChatPage:
        """The page in a second tab of the same profile."""
        tab = ChatPage(self.page.context.new_page(), self.url, self.watch)
        tab.open()
        return tab

    # Finding things.

    @property
    def message(self) -> Locator:
        """Where one writes."""
        return self.textbox("Message")

    @property
    def log(self) -> Locator:
        """The conversation."""
        return self.page.get_by_role("log", name="Conversation")

    @property
    def questions(self) -> Locator:
        """The user's messages."""
        return self.log.get_by_role("article", name="You")

    @property
    def answers(self) -> Locator:
        """The model's messages."""
        return self.log.get_by_role("article", name="Assistant")

    @property
    def conversations(self) -> Locator:
        """The list of conversations and what belongs to it."""
        return self.page.get_by_role("navigation", name="Conversations")

    @property
    def options(self) -> Locator:
        """The panel of options; on a phone it is a dialog."""
        region = self.page.get_by_role("complementary", name="Options")
        return region.or_(self.page.get_by_role("dialog", name="Options", exact=True))

    def button(self, name: str) -> Locator:
        """A button by its exact name."""
        return self.page.get_by_role("button", name=name, exact=True)

    def textbox(self, name: str) -> Locator:
        """A text field by its exact name."""
        return self.page.get_by_role("textbox", name=name, exact=True)

    def dialog(self, name: str) -> Locator:
        """A dialog by its exact name."""
        return self.page.get_by_role("dialog", name=name, exact=True)

    def conversation(self, title: str) -> Locator:
        """A conversation in the list."""
        return self.conversations.get_by_role("button", name=title, exact=True)

    # Doing things.

    def go(self, view: str) -> None:
        """Choose Chat, Completion or Monitor."""
        self.page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()

    def reload(self) -> None:
        """Load the page again, once what it shows is stored: the store is read after what is being written to it."""
        self.page.evaluate("async () => (await import('/page/state/conversations.js')).searchConversations('')")
        self.page.reload()

    def send(self, text: str) -> None:
        """Write a message and send it."""
        self.message.fill(text)
        self.message.press("Enter")

    def ask(self, text: str, n_answers: int = 1) -> Locator:
        """Send a message and wait for the end of its answer, which is the ``n_answers``-th."""
        self.send(text)
        return self.wait_for_answer(n_answers)

    def wait_for_answer(self, n_answers: int = 1) -> Locator:
        """Wait until there are so many answers and nothing runs; the last of them."""
        expect(self.answers).to_have_count(n_answers)
        self.wait_until_idle()
        return self.answers.nth(n_answers - 1)

    def wait_until_idle(self) -> None:
        """Wait until nothing is generated in this tab."""
        expect(self.button("Send")).to_be_visible()
        expect(self.button("Stop")).to_have_count(0)

    def open_options(self) -> Locator:
        """Open the panel of options."""
        toggle = self.button("Options")
        if toggle.get_attribute("aria-expanded") != "true":
            toggle.click()
        expect(self.options).to_be_visible()
        return self.options

    def option(self, label: str) -> Locator:
        """An option's field, in sight."""
        self.open_options()
        self._open_group(label)
        return self.options.get_by_label(label, exact=True)

    def set_option(self, label: str, value: str) -> None:
        """Write a value into an option's field and leave it."""
        field = self.option(label)
        field.fill(value)
        field.blur()

    def switch_on(self, label: str) -> None:
        """Turn a yes-or-no option on."""
        self.option(label).check()

    def open_grammar(self) -> None:
        """Open the part of the options where grammars are made."""
        self.open_options()
        self._open_group("Grammar")

    def open_schema(self) -> None:
        """Open the part of the options where the schema of answers is written."""
        self.open_options()
        self._open_group("Schema")

    def _open_group(self, label: str) -> None:
        """Open the group of the options that has the field of a label."""
        group = self.options.locator("details").filter(has=self.page.get_by_label(label, exact=True))
        if group.get_attribute("open") is None:
            group.locator("summary").click()

    def system_prompt(self) -> Locator:
        """The field of the system prompt, in sight."""
        field = self.textbox("System prompt")
        if not field.is_visible():
            self.page.locator("summary", has_text="System prompt").click()
        return field

    def act_on(self, title: str, action: str) -> None:
        """Choose what to do with a conversation of the list."""
        self.button(f"Actions for {title}").click()
        self.page.get_by_role("menuitem", name=action).click()

    # What happened.

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """The JSON bodies of the POST requests to a path so far, whatever their query."""
        posts = [request for request in self.watch.requests if request.method == "POST"]
        return [
            json.loads(request.post_data or "") for request in posts if request.url.split("?")[0] == self.url + path
        ]

    def focused(self) -> dict[str, Any]:
        """The element that has the keyboard: its tag, role, name, and whether one sees that it has."""
        found: dict[str, Any] = self.page.evaluate(_FOCUSED)
        return found


_FOCUSED = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const named = element.getAttribute("aria-label") || element.labels?.[0]?.textContent || element.textContent;
  return {
    tag: element.tagName.toLowerCase(),
    name: named.trim(),
    isOutlined: (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none",
  };
}"""
