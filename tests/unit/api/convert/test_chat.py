"""Conversations as the text that a chat template makes of them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from service.api.convert.chat import RenderedChat
from slotline.v1 import prompt_pb2
from tests.support.served import RecordingTemplate, served_model

CHAT = prompt_pb2.ChatPrompt(messages=[prompt_pb2.ChatMessage(role="user", content=[prompt_pb2.PromptPart(text="Hi")])])
PATIENCE_S = 20.0


def test_a_conversation_is_rendered_once() -> None:
    template = RecordingTemplate()
    chat = RenderedChat(CHAT, served_model(template=template))
    assert (chat.text, chat.text) == ("rendered", "rendered")
    assert len(template.conversations) == 1


def test_conversations_do_not_wait_for_each_other() -> None:
    both = threading.Barrier(2, timeout=PATIENCE_S)

    def meet() -> None:
        both.wait()

    model = served_model(template=RecordingTemplate(fail=meet))
    chats = [RenderedChat(CHAT, model) for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda chat: chat.text, chats)) == ["rendered", "rendered"]
