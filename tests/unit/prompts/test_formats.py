"""What is found out about a chat template in the process that renders it."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from service.dialogue.chat_format import CallStyle
from service.dialogue.known_formats import KNOWN_FORMATS
from service.dialogue.template.analysis import UNKNOWN
from service.errors import TemplateWorkerLost
from service.prompts.formats import LIMIT_S, chat_format
from service.prompts.renderer import TemplateRenderer
from tests.support.chat_templates import PLAIN, TEMPLATES
from tests.support.scripted_core import ByteVocabulary
from tests.support.served import RecordingTemplate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.prompts.templates import Conversation
    from service.prompts.work import Work

VOCABULARY = ByteVocabulary()


@pytest.fixture
def renderer_of() -> Iterator[Callable[[str], TemplateRenderer]]:
    renderers: list[TemplateRenderer] = []

    def make(source: str) -> TemplateRenderer:
        renderers.append(TemplateRenderer(source, bos="<bos>", eos="<eos>", max_output_bytes=1 << 16, cpu_limit_s=0.5))
        return renderers[-1]

    yield make
    for renderer in renderers:
        renderer.close()


@pytest.mark.parametrize("name", ["qwen3-coder", "mistral"])
def test_calls_are_found_through_the_process(renderer_of: Callable[[str], TemplateRenderer], name: str) -> None:
    renderer = renderer_of(TEMPLATES[name].source.replace("<|im_end|>", "<eos>"))
    assert chat_format(renderer, VOCABULARY).calls == KNOWN_FORMATS[name].calls


def test_marks_that_are_control_tokens_are_named(renderer_of: Callable[[str], TemplateRenderer]) -> None:
    source = TEMPLATES["mistral"].source.replace("[TOOL_CALLS]", "<bos>").replace("[/THINK]", "[/THINK]<bos>")
    found = chat_format(renderer_of(source), VOCABULARY)
    assert found.calls.call_open == "<bos>"
    assert found.control_tokens == ("<bos>",)
    assert chat_format(renderer_of(PLAIN), VOCABULARY).control_tokens == ()


def test_an_end_of_generation_is_no_part_of_a_mark(renderer_of: Callable[[str], TemplateRenderer]) -> None:
    source = TEMPLATES["nemotron-v2"].source.replace("</TOOLCALL>", "</TOOLCALL><eos>")
    assert chat_format(renderer_of(source), VOCABULARY).calls.section_close == "]</TOOLCALL>"


def test_a_template_that_takes_too_much_gets_the_fallback(
    renderer_of: Callable[[str], TemplateRenderer], caplog: pytest.LogCaptureFixture
) -> None:
    loop = "{% for i in range(99999) %}"
    renderer = renderer_of(f"{loop}{loop}{{% endfor %}}{{% endfor %}}")
    assert chat_format(renderer, VOCABULARY) == UNKNOWN
    assert "0.5 s of CPU" in caplog.records[-1].__dict__["reason"]


class SlowTemplate(RecordingTemplate):
    """Takes a quarter of the limit for each rendering."""

    now = 0.0

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        type(self).now += LIMIT_S / 4
        return super().render(conversation, work)


def test_a_template_that_takes_too_long_in_all_gets_the_fallback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: SlowTemplate.now)
    template = SlowTemplate()
    assert chat_format(template, VOCABULARY) == UNKNOWN
    assert len(template.conversations) == 5
    assert "too long" in caplog.text


class LostTemplate(RecordingTemplate):
    """Its process is lost."""

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        raise TemplateWorkerLost("gone")


def test_a_lost_process_is_no_failure_of_the_load(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert chat_format(LostTemplate(), VOCABULARY) == UNKNOWN
    chosen = chat_format(LostTemplate(), VOCABULARY, KNOWN_FORMATS["apertus"])
    assert (chosen.calls.style, chosen.source) == (CallStyle.NAME_KEY, "option")
    assert '"source": "option"' in caplog.records[-1].__dict__["format"]
