"""The templates that have a name, and the choice of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.errors import InvalidArgument
from service.prompts.renderer import TemplateRenderer, make_renderer
from service.prompts.template_process import TemplateFailure
from service.prompts.templates import FALLBACK, NAMED, Conversation, resolve_template

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEM = {"role": "system", "content": " Be brief. "}
USER = {"role": "user", "content": " Hi "}
ANSWER = {"role": "assistant", "content": "Yes?"}
AGAIN = {"role": "user", "content": "Bye"}

EXPECTED = {
    "chatml": (
        "<|im_start|>system\n Be brief. <|im_end|>\n<|im_start|>user\n Hi <|im_end|>\n"
        "<|im_start|>assistant\nYes?<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
    ),
    "llama2": ("[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Yes? </s><s>[INST] Bye [/INST]"),
    "zephyr": (
        "<|system|>\n Be brief. <|endoftext|>\n<|user|>\n Hi <|endoftext|>\n"
        "<|assistant|>\nYes?<|endoftext|>\n<|user|>\nBye<|endoftext|>\n<|assistant|>\n"
    ),
    "gemma": (
        "<start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nYes?<end_of_turn>\n"
        "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n"
    ),
    "llama3": (
        "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nYes?<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "phi3": (
        "<|system|>\n Be brief. <|end|>\n<|user|>\n Hi <|end|>\n<|assistant|>\nYes?<|end|>\n<|user|>\nBye<|end|>\n"
        "<|assistant|>\n"
    ),
    "command-r": (
        "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>Be brief.<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hi<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Yes?<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Bye<|END_OF_TURN_TOKEN|>"
        "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"
    ),
    "monarch": "system\n Be brief. </s>\n<s>user\n Hi </s>\n<s>assistant\nYes?</s>\n<s>user\nBye</s>\n<s>assistant\n",
}


def render(source: str, conversation: Conversation) -> str:
    """One rendering with a renderer of its own."""
    renderer = TemplateRenderer(source, bos="<s>", eos="</s>", max_output_bytes=1 << 20)
    try:
        return renderer.render(conversation)
    finally:
        renderer.close()


@pytest.mark.parametrize("name", sorted(NAMED))
def test_a_named_template_renders_its_family(name: str) -> None:
    assert render(NAMED[name], Conversation([SYSTEM, USER, ANSWER, AGAIN])) == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(NAMED))
def test_without_a_generation_prompt_nothing_is_opened(name: str) -> None:
    opened = render(NAMED[name], Conversation([USER]))
    closed = render(NAMED[name], Conversation([USER], add_generation_prompt=False))
    assert opened.startswith(closed)
    # Llama 2 has no opening: its instructions end where the answer begins.
    assert (opened == closed) is (name == "llama2")


def test_gemma_puts_the_last_system_message_in_front_of_the_next_turn_that_is_not_the_models() -> None:
    other = {"role": "system", "content": "Be long."}
    turns = [SYSTEM, ANSWER, other, USER, AGAIN]
    assert render(NAMED["gemma"], Conversation(turns, add_generation_prompt=False)) == (
        "<start_of_turn>model\nYes?<end_of_turn>\n"
        "<start_of_turn>user\nBe long.\n\nHi<end_of_turn>\n<start_of_turn>user\nBye<end_of_turn>\n"
    )


def test_a_choice_is_a_name_or_jinja() -> None:
    assert resolve_template("gemma") == NAMED["gemma"]
    assert resolve_template("{{ messages[0]['content'] }}") == "{{ messages[0]['content'] }}"


def test_a_text_of_several_words_is_a_template_even_without_any_jinja() -> None:
    assert resolve_template("This is always asked.") == "This is always asked."


@pytest.mark.parametrize("choice", ["", " ", "vicuna", "<|im_start|>" * 50])
def test_any_other_choice_is_refused_with_the_names(choice: str) -> None:
    names = "chatml, command-r, gemma, llama2, llama3, monarch, phi3, zephyr"
    with pytest.raises(InvalidArgument, match=names) as caught:
        resolve_template(choice)
    assert caught.value.field == "chat_template"
    assert len(caught.value.message) < 200


class TestTheTemplateInForce:
    """``make_renderer``."""

    @pytest.fixture
    def made(self) -> Iterator[list[TemplateRenderer]]:
        renderers: list[TemplateRenderer] = []
        yield renderers
        for renderer in renderers:
            renderer.close()

    @staticmethod
    def make(override: str | None, of_model: str | None) -> TemplateRenderer:
        return make_renderer(override, of_model, bos="", eos="", max_output_bytes=1000)

    def test_is_the_override_first(self, made: list[TemplateRenderer]) -> None:
        made.append(self.make("{{ 1 }}", "{{ 2 }}"))
        assert made[0].source == "{{ 1 }}"

    def test_is_the_models_own_next(self, made: list[TemplateRenderer]) -> None:
        made.append(self.make(None, "{{ 2 }}"))
        assert made[0].source == "{{ 2 }}"

    @pytest.mark.parametrize("of_model", [None, ""])
    def test_is_chatml_last_and_says_so_once(
        self, made: list[TemplateRenderer], caplog: pytest.LogCaptureFixture, of_model: str | None
    ) -> None:
        made.append(self.make(None, of_model))
        made[0].render(Conversation([USER]))
        assert made[0].source == FALLBACK
        assert [record.getMessage() for record in caplog.records] == ["the model has no chat template; using chatml"]

    def test_is_chatml_for_a_model_with_a_broken_one(
        self, made: list[TemplateRenderer], caplog: pytest.LogCaptureFixture
    ) -> None:
        made.append(self.make(None, "{% if %}"))
        assert made[0].source == FALLBACK
        (record,) = caplog.records
        assert record.levelname == "ERROR"
        assert "line 1" in record.__dict__["reason"]

    def test_is_never_a_broken_override(self) -> None:
        with pytest.raises(TemplateFailure, match="in line 2: TemplateSyntaxError"):
            self.make("ok\n{% if %}", "{{ 2 }}")
