"""The probabilities of tokens: tints, and the alternatives on a click."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from slotline.v1.generation_pb2 import Delta, GenerateResponse, Piece
from slotline.v1.tokens_pb2 import Token, TokenProbability
from tests.browser.chat_page import answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.browser.conftest import Visitor
    from tests.support.fake_core import FakeCore
    from tests.support.server import Server

TOKENS = [("Paris", [("Paris", 0.95), ("Lyon", 0.04)]), (" is", [(" was", 0.7), (" is", 0.2)])]


def likely(text: str, candidates: Sequence[tuple[str, float]]) -> GenerateResponse:
    """A piece of one token with its candidates."""
    ids = {piece: number for number, (piece, _) in enumerate(candidates)}
    token = Token(
        id=ids[text],
        piece=text.encode(),
        probabilities=[
            TokenProbability(id=ids[piece], piece=piece.encode(), probability=probability)
            for piece, probability in candidates
        ],
    )
    return GenerateResponse(delta=Delta(pieces=[Piece(text=text, tokens=[token])]))


def test_tokens_are_tinted_and_tell_their_alternatives(core: FakeCore, url: str, visit: Visitor) -> None:
    start, *_, end = answer(*(text for text, _ in TOKENS))
    core.script = lambda request: [start, *(likely(*token) for token in TOKENS), end]
    chat = visit(url)
    chat.set_option("Show probabilities", "2")
    tokens = chat.ask("Hello").locator(".token[data-index]")
    assert chat.bodies("/v1/chat/completions")[0]["n_probs"] == 2
    expect(tokens).to_have_text(["Paris", " is"])
    tints = [tokens.nth(i).evaluate("element => getComputedStyle(element).backgroundColor") for i in range(2)]
    assert tints[0] != tints[1]

    tokens.nth(1).click()
    dialog = chat.dialog("Alternatives")
    expect(dialog.get_by_role("listitem")).to_have_text([re.compile("was.*70%"), re.compile("is.*20%")])
    chat.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(tokens.nth(1)).to_be_focused()


def test_tokens_are_reached_with_the_keyboard(core: FakeCore, url: str, visit: Visitor) -> None:
    start, *_, end = answer(*(text for text, _ in TOKENS))
    core.script = lambda request: [start, *(likely(*token) for token in TOKENS), end]
    chat = visit(url)
    chat.set_option("Show probabilities", "2")
    tokens = chat.ask("Hello").locator(".token[data-index]")
    tokens.first.focus()
    chat.page.keyboard.press("ArrowRight")
    expect(tokens.nth(1)).to_be_focused()
    chat.page.keyboard.press("Enter")
    expect(chat.dialog("Alternatives")).to_be_visible()


def test_the_model_tells_its_probabilities(server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    chat.set_option("Show probabilities", "3")
    # Always the likeliest, which is among the three.
    chat.set_option("Temperature", "0")
    chat.set_option("Most tokens", "8")
    tokens = chat.ask("Count to three.").locator(".token[data-index]")
    tokens.first.click()
    expect(chat.dialog("Alternatives").get_by_role("listitem")).to_have_text([re.compile("%")] * 3)
