"""Prompts that end inside the last turn, with templates that write it in various ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidArgument
from service.prompts.continuation import render_continued
from service.prompts.renderer import TemplateRenderer
from service.prompts.templates import NAMED, Conversation
from tests.support.properties import untimed

if TYPE_CHECKING:
    from service.prompts.work import Work

USER = {"role": "user", "content": "Hi"}

Render = Callable[[str, str], str]


@pytest.fixture
def render() -> Iterator[Render]:
    """Renders a greeting and the beginning of its answer with a template."""
    renderers = []

    def render_one(source: str, beginning: str) -> str:
        renderers.append(TemplateRenderer(source, bos="", eos="", max_output_bytes=1000))
        return render_continued(renderers[-1], begun(beginning))

    yield render_one
    for renderer in renderers:
        renderer.close()


def begun(beginning: str) -> Conversation:
    return Conversation([USER, {"role": "assistant", "content": beginning}])


class Chatml:
    """The template of that name in this process."""

    source = "chatml"

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        turns = (f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in conversation.messages)
        return "".join(turns) + ("<|im_start|>assistant\n" if conversation.add_generation_prompt else "")


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("chatml", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nOnce upon "),
        ("gemma", "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nOnce upon "),
        ("llama2", "[INST] Hi [/INST] Once upon "),
        ("monarch", "user\nHi</s>\n<s>assistant\nOnce upon "),
        ("zephyr", "<|user|>\nHi<|endoftext|>\n<|assistant|>\nOnce upon "),
    ],
)
def test_the_prompt_ends_behind_the_text(render: Render, name: str, prompt: str) -> None:
    assert render(NAMED[name], "Once upon ") == prompt


@pytest.mark.parametrize("beginning", ["i", "im_end", "<|im_end|>", "Hi", "\n", "|>\n", "1234567890"])
def test_a_text_that_is_also_found_around_it_is_not_taken_for_the_end(render: Render, beginning: str) -> None:
    prompt = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n" + beginning
    assert render(NAMED["chatml"], beginning) == prompt


@pytest.mark.parametrize(
    ("source", "beginning", "prompt"),
    [
        ("{{ messages[1].content | trim }}</s>", "  One ", "One "),
        ("{{ messages[1].content | upper }}</s>", "One", "ONE"),
        ("{{ messages[1].content | tojson }}</s>", 'A "', '"A \\"'),
        ("{{ messages[1].content | e }}</s>", "<b", "&lt;b"),
        ("{{ messages[1].content }}|{{ messages[1].content }}</s>", "One", "One|One"),
        ("{{ messages[1].content.split('</think>')[-1] }}</s>", "<think>Hm</think>One", "One"),
        ("{{ messages[1].content }}{{ ' open' if add_generation_prompt }}</s>", "One", "One"),
    ],
)
def test_a_text_that_the_template_changes_is_continued_as_it_stands_there(
    render: Render, source: str, beginning: str, prompt: str
) -> None:
    assert render(source, beginning) == prompt


@pytest.mark.parametrize(
    "source", ["{{ messages[0].content }}", "{{ messages[1].content[:4] }}", "{{ messages[1].content | reverse }}"]
)
def test_a_template_that_leaves_the_end_of_the_text_out_is_refused(render: Render, source: str) -> None:
    with pytest.raises(InvalidArgument, match="does not write the end of the last message's text") as caught:
        render(source, "Once upon")
    assert caught.value.field == "chat.continue_final_message"


def test_the_reason_of_a_template_that_refuses_is_kept(render: Render) -> None:
    with pytest.raises(InvalidArgument, match="the user must be last"):
        render("{{ raise_exception('the user must be last') }}", "One")


@untimed
@given(st.text(min_size=1))
def test_any_text_ends_its_prompt(beginning: str) -> None:
    prompt = render_continued(Chatml(), begun(beginning))
    assert prompt == f"<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n{beginning}"


def test_the_conversation_stays_as_it_was() -> None:
    conversation = begun("One")
    render_continued(Chatml(), conversation)
    assert conversation == begun("One")
