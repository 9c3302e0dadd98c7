"""How full the context is, and conversations that do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from playwright.sync_api import expect

from slotline.v1.generation_pb2 import FINISH_REASON_LENGTH, FINISH_REASON_STOP, OVERFLOW_TRUNCATE, GenerateRequest
from tests.support.fake_core import FakeCore, Refuse, Step, accepted, delta, finished

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.browser.chat_page import ChatPage
    from tests.browser.conftest import Visitor

N_CTX = 512
_FACTS = {"n_prompt_tokens": "600", "n_ctx": str(N_CTX)}
TOO_LONG = Refuse(grpc.StatusCode.INVALID_ARGUMENT, "CONTEXT_LENGTH_EXCEEDED", "too long", metadata=_FACTS)


@pytest.fixture
def chat(visit: Visitor, core: FakeCore, url: str) -> ChatPage:
    core.model.default_settings.n_ctx = N_CTX
    opened = visit(url)
    # The refusals here are what the page is asked to show.
    opened.watch.announce("status of 400")
    return opened


def answer(text: str, n_prompt: int, *, truncated: int = 0, is_cut: bool = False) -> list[Step]:
    end = finished(2, FINISH_REASON_LENGTH if is_cut else FINISH_REASON_STOP)
    end.finished.usage.prompt_tokens = n_prompt
    end.finished.usage.truncated_prompt_tokens = truncated
    return [accepted(), delta(text), end]


def test_the_page_shows_how_full_the_context_is(chat: ChatPage, core: FakeCore) -> None:
    core.script = lambda request: answer("a", 126)
    chat.ask("One")
    expect(chat.page.get_by_text("Context 25% full")).to_be_visible()
    expect(chat.button("Remove the oldest turn")).to_have_count(0)
    core.script = lambda request: answer("b", 450)
    chat.ask("Two", 2)
    expect(chat.page.get_by_text("Context 88% full")).to_be_visible()
    expect(chat.page.get_by_text("There is little room left")).to_be_visible()
    chat.reload()
    expect(chat.page.get_by_text("Context 88% full")).to_be_visible()
    chat.button("Remove the oldest turn").click()
    expect(chat.questions).to_have_text(["Two"])
    expect(chat.page.get_by_text("Context 88% full")).to_have_count(0)


def test_an_answer_that_the_context_cut_says_so(chat: ChatPage, core: FakeCore) -> None:
    core.script = lambda request: answer("a", N_CTX - 2, is_cut=True)
    expect(chat.ask("One")).to_contain_text("Cut at the end of the context.")


def test_a_conversation_that_does_not_fit_can_be_sent_without_its_oldest_part(chat: ChatPage, core: FakeCore) -> None:
    def script(request: GenerateRequest) -> Sequence[Step]:
        return answer("fine", 500, truncated=100) if request.overflow == OVERFLOW_TRUNCATE else [TOO_LONG]

    core.script = script
    refused = chat.ask("One")
    expect(refused).to_contain_text("This conversation does not fit.")
    expect(refused).to_contain_text("It has 600 tokens, and the context holds 512")
    expect(chat.button("Remove the oldest turn and ask again")).to_have_count(0)
    chat.reload()
    chat.button("Send anyway, without the oldest part").click()
    shown = chat.wait_for_answer()
    expect(shown).to_contain_text("fine")
    expect(shown).to_contain_text("the model did not see its oldest 100 tokens")
    chat.reload()
    expect(chat.answers.nth(0)).to_contain_text("the model did not see its oldest 100 tokens")


def test_a_conversation_that_does_not_fit_can_be_sent_without_its_oldest_turn(chat: ChatPage, core: FakeCore) -> None:
    def script(request: GenerateRequest) -> Sequence[Step]:
        texts = [message.content for message in request.chat.messages]
        return [TOO_LONG] if len(texts) > 3 else answer("fine", 100)

    core.script = script
    chat.ask("One")
    chat.ask("Two", 2)
    expect(chat.ask("Three", 3)).to_contain_text("This conversation does not fit.")
    chat.button("Remove the oldest turn and ask again").click()
    expect(chat.questions).to_have_text(["Two", "Three"])
    expect(chat.wait_for_answer(2)).to_contain_text("fine")
