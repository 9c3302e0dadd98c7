"""Conversations with several system turns, or late ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.errors import InvalidArgument
from service.prompts.renderer import TemplateRenderer
from service.prompts.systems import OneSystemTemplate
from service.prompts.template_process import TemplateKilled
from service.prompts.templates import Conversation, Message
from tests.support.served import RecordingTemplate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.prompts.work import Work

#: Refuses system turns that are not the first.
STRICT = (
    "{% for m in messages %}"
    "{% if m.role == 'system' and not loop.first %}{{ raise_exception('late') }}{% endif %}"
    "{% if m.role == 'odd' %}{{ raise_exception('odd') }}{% endif %}"
    "{{ m.role }}:{{ m.content }}|{% endfor %}"
)
LENIENT = "{% for m in messages %}{{ m.role }}:{{ m.content }}|{% endfor %}"
A, B = {"role": "system", "content": "a"}, {"role": "system", "content": "b"}
USER, ODD = {"role": "user", "content": "u"}, {"role": "odd", "content": "o"}


@pytest.fixture
def render() -> Iterator[Callable[[str, list[Message]], str]]:
    renderers: list[TemplateRenderer] = []

    def render_one(source: str, messages: list[Message]) -> str:
        renderers.append(TemplateRenderer(source, bos="", eos="", max_output_bytes=1000, cpu_limit_s=0.5))
        return OneSystemTemplate(renderers[-1]).render(Conversation(messages))

    yield render_one
    for renderer in renderers:
        renderer.close()


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([A, USER], "system:a|user:u|"),
        ([A, B, USER], "system:a\n\nb|user:u|"),
        ([A, USER, B], "system:a\n\nb|user:u|"),
        ([USER, B], "system:b|user:u|"),
    ],
)
def test_system_turns_become_one_where_the_template_wants_one(
    render: Callable[[str, list[Message]], str], messages: list[Message], text: str
) -> None:
    assert render(STRICT, messages) == text


def test_a_template_that_takes_them_gets_them_as_they_are(render: Callable[[str, list[Message]], str]) -> None:
    assert render(LENIENT, [A, USER, B]) == "system:a|user:u|system:b|"


@pytest.mark.parametrize(("messages", "reason"), [([ODD], "odd"), ([A, B, ODD], "late"), ([A, ODD, B], "odd")])
def test_what_is_refused_in_any_case_says_why(
    render: Callable[[str, list[Message]], str], messages: list[Message], reason: str
) -> None:
    with pytest.raises(InvalidArgument, match=reason):
        render(STRICT, messages)


class KillingTemplate(RecordingTemplate):
    """Takes too much for every conversation."""

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        self.conversations.append(conversation)
        raise InvalidArgument("chat.messages", "too much") from TemplateKilled("too much")


def test_a_template_that_takes_too_much_is_not_tried_twice() -> None:
    template = KillingTemplate()
    with pytest.raises(InvalidArgument, match="too much"):
        OneSystemTemplate(template).render(Conversation([A, B]))
    assert len(template.conversations) == 1
