"""Pictures in any place of any prompt: each stands where it was put, and texts are tokenised as they are without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.convert.request import generation_request
from service.api.served_model import PictureSupport
from service.config import EngineConfig, MediaOptions
from service.testing.scripted_model import BOS, EOS
from slotline.v1 import generation_pb2, prompt_pb2
from tests.support.calls import part
from tests.support.fake_encoder import FakeEncoder, encoded
from tests.support.pictures import prompt_of
from tests.support.properties import fuzzed
from tests.support.scripted_core import ByteVocabulary
from tests.support.served import RecordingTemplate, served_model

if TYPE_CHECKING:
    from service.engine.request.items import PromptItem
    from service.prompts.templates import Conversation
    from service.prompts.work import Work


class Turns(RecordingTemplate):
    """Writes turns as they are."""

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        return "".join(f"<{turn['role']}>{turn['content']}<eos>" for turn in conversation.messages)


VOCABULARY = ByteVocabulary(adds_bos=True)
MODEL = served_model(
    vocabulary=VOCABULARY,
    template=Turns(),
    pictures=PictureSupport(FakeEncoder(), MediaOptions()),
    engine=EngineConfig(n_slots=1, n_ctx_slot=4096),
)
#: Digits, as marks are made of; names of control tokens and beginnings of them; what placeholders look like.
TEXTS = st.lists(
    st.sampled_from(["a", "<eos>", "<e", "os>", "<bos>", "0", "1234", "<__image__>", "[img-1]", "é", " ", "\n"]),
    max_size=6,
).map("".join)
PICTURES = st.binary(min_size=1, max_size=3)
PARTS = st.lists(st.one_of(TEXTS, PICTURES, st.lists(st.integers(0, 255), max_size=4).map(tuple)), max_size=12)
CONTENTS = st.lists(st.one_of(TEXTS, PICTURES), min_size=1, max_size=5)
CHATS = st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), CONTENTS), min_size=1, max_size=3)


def items_of(item: str | bytes | tuple[int, ...], *, parse_special: bool) -> list[PromptItem]:
    """What becomes of a part by itself."""
    match item:
        case str():
            return [*VOCABULARY.tokenize(item, parse_special=parse_special)]
        case bytes():
            return [*prompt_of(*encoded(item))]
        case _:
            return [*item]


@fuzzed
@given(parts=PARTS, parse_special=st.booleans())
def test_parts_stand_where_they_were_put(parts: list[str | bytes | tuple[int, ...]], parse_special: bool) -> None:
    expected = [item for one in parts for item in items_of(one, parse_special=parse_special)]
    if parts and not isinstance(parts[0], tuple):
        expected = [BOS, *expected]
    prompt = prompt_pb2.PromptParts(parts=map(part, parts))
    request = generation_pb2.GenerateRequest(parts=prompt, parse_special=parse_special)
    if expected:
        assert list(generation_request(request, MODEL).prompt) == expected


@pytest.mark.parametrize("literal", [False, True])
@fuzzed
@given(turns=CHATS)
def test_pictures_of_a_conversation_stand_where_they_were_said(
    literal: bool, turns: list[tuple[str, list[str | bytes]]]
) -> None:
    messages = [prompt_pb2.ChatMessage(role=role, content=map(part, content)) for role, content in turns]
    request = generation_pb2.GenerateRequest(chat=prompt_pb2.ChatPrompt(messages=messages), parse_special=not literal)
    expected: list[PromptItem] = []
    for role, content in turns:
        expected += f"<{role}>".encode()
        text = ""
        for one in [*content, b""]:
            # Texts that follow each other are one.
            if isinstance(one, str):
                text += one
                continue
            expected += items_of(text, parse_special=not literal)
            text = ""
            expected += items_of(one, parse_special=False) if one else []
        expected.append(EOS)
    prompt = list(generation_request(request, MODEL).prompt)
    assert prompt == (expected if expected[:1] == [BOS] else [BOS, *expected])
