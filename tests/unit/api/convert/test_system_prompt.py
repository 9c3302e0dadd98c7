"""The system prompt of the configuration, and its way back into descriptions."""

from __future__ import annotations

import pytest

from service.api.convert.system_prompt import system_prompt, system_prompt_message, system_prompt_text
from service.config import EngineConfig, SystemPromptText
from service.engine.request.requests import SystemPrompt
from service.errors import InvalidArgument
from service.testing.scripted_model import BOS
from slotline.v1 import prompt_pb2
from tests.support.scripted_core import ByteVocabulary
from tests.support.served import served_model

MODEL = served_model(vocabulary=ByteVocabulary(adds_bos=True))


def test_a_text_gets_bos_and_no_special_tokens() -> None:
    prompt = system_prompt(SystemPromptText("a<eos>", "User:", "Bot"), MODEL)
    assert prompt == SystemPrompt("a<eos>", (BOS, *b"a<eos>"), "User:", "Bot")


def test_an_empty_text_has_no_tokens_and_keeps_its_names() -> None:
    assert system_prompt(SystemPromptText("", "User:", "Bot"), MODEL) == SystemPrompt("", (), "User:", "Bot")


@pytest.mark.parametrize(("n_ctx", "most"), [(64, 56), (9, 1), (8, 0), (4, 0)])
def test_a_slot_keeps_room_for_a_dialogue(n_ctx: int, most: int) -> None:
    model = served_model(engine=EngineConfig(n_ctx_slot=n_ctx))
    if most:
        assert len(system_prompt(SystemPromptText("x" * most), model).tokens) == most
    with pytest.raises(InvalidArgument, match=f"allowed are at most {most}, the {n_ctx} of a slot's context less 8"):
        system_prompt(SystemPromptText("x" * (most + 1)), model)
    assert system_prompt(SystemPromptText(""), model).tokens == ()


def test_a_message_comes_back_as_it_was() -> None:
    message = prompt_pb2.SystemPrompt(prompt="Be brief.", anti_prompt="User:", assistant_name="Bot")
    assert system_prompt_message(system_prompt(system_prompt_text(message), MODEL)) == message
