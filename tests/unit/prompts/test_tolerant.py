"""Conversations that templates refuse as they are: system turns, and tools without descriptions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from service.errors import InvalidArgument
from service.prompts.renderer import TemplateRenderer
from service.prompts.template_process import TemplateKilled
from service.prompts.templates import Conversation, Message
from service.prompts.tolerant import TolerantTemplate
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
def render() -> Iterator[Callable[..., str]]:
    renderers: list[TemplateRenderer] = []

    def render_one(source: str, messages: list[Message], tools: list[Any] | None = None) -> str:
        renderers.append(TemplateRenderer(source, bos="", eos="", max_output_bytes=1000, cpu_limit_s=0.5))
        return TolerantTemplate(renderers[-1]).render(Conversation(messages, tools=tools))

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
    render: Callable[..., str], messages: list[Message], text: str
) -> None:
    assert render(STRICT, messages) == text


def test_a_template_that_takes_them_gets_them_as_they_are(render: Callable[..., str]) -> None:
    assert render(LENIENT, [A, USER, B]) == "system:a|user:u|system:b|"


@pytest.mark.parametrize(("messages", "reason"), [([ODD], "odd"), ([A, B, ODD], "late"), ([A, ODD, B], "odd")])
def test_what_is_refused_in_any_case_says_why(render: Callable[..., str], messages: list[Message], reason: str) -> None:
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
        TolerantTemplate(template).render(Conversation([A, B]))
    assert len(template.conversations) == 1


#: Fails on tools without a description, parameters or descriptions of these.
PEDANTIC = (
    "{% for tool in tools %}{% set f = tool.function %}{{ f.name + f.description }}("
    "{% for name, one in f.parameters.properties.items() %}{{ name + ':' + one.description }}{% endfor %})"
    "{% endfor %}{% for m in messages %}"
    "{% if m.role == 'system' and not loop.first %}{{ raise_exception('late') }}{% endif %}{{ m.content }}{% endfor %}"
)
BARE = {"type": "function", "function": {"name": "f"}}
HALF = {"type": "function", "function": {"name": "g", "parameters": {"properties": {"x": {"type": "string"}}}}}
WHOLE = {
    "type": "function",
    "function": {"name": "h", "description": "H", "parameters": {"properties": {"x": {"description": "X"}}}},
}


@pytest.mark.parametrize(
    ("tools", "messages", "text"),
    [
        ([BARE], [USER], "f()u"),
        ([HALF, WHOLE], [USER], "g(x:)hH(x:X)u"),
        ([WHOLE], [USER], "hH(x:X)u"),
        ([BARE], [A, USER, B], "f()a\n\nbu"),
        ([WHOLE], [A, USER, B], "hH(x:X)a\n\nbu"),
    ],
)
def test_tools_get_what_the_template_cannot_do_without(
    render: Callable[..., str], tools: list[Any], messages: list[Message], text: str
) -> None:
    assert render(PEDANTIC, messages, tools) == text


def test_tools_of_a_template_that_takes_them_stay_as_they_are(render: Callable[..., str]) -> None:
    assert render("{{ tools | tojson }}", [USER], [BARE]) == json.dumps([BARE])


@pytest.mark.parametrize("tools", [["odd"], [{"function": "odd"}], [{"function": {"parameters": {"properties": 1}}}]])
def test_odd_tools_are_no_failure_of_ours(render: Callable[..., str], tools: list[Any]) -> None:
    with pytest.raises(InvalidArgument, match="the chat template fails"):
        render(PEDANTIC, [USER], tools)
