"""Chat templates that look for texts in lists of parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.errors import InvalidArgument
from service.prompts.renderer import TemplateRenderer
from service.prompts.templates import FALLBACK, Conversation
from service.prompts.typed_content import TypedContent, with_fitting_content

if TYPE_CHECKING:
    from collections.abc import Iterator

#: As SmolVLM's template is: a text alone is gone over letter by letter, and nothing of it is written.
TYPED = (
    "{% for message in messages %}{{ message['role'] }}:"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'image' %}<image>{% endif %}{% endfor %}|{% endfor %}"
)
#: As those of Gemma 3 and Qwen2-VL are.
BOTH = (
    "{% for message in messages %}{{ message['role'] }}:"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}[{{ part['text'] }}]{% endfor %}{% endif %}|{% endfor %}"
)
SILENT = "{% for message in messages %}{{ message['role'] }}|{% endfor %}"
HELLO = Conversation([{"role": "user", "content": "Hello"}, {"role": "assistant", "content": None}])


@pytest.fixture
def renderer(request: pytest.FixtureRequest) -> Iterator[TemplateRenderer]:
    made = TemplateRenderer(request.param, bos="", eos="", max_output_bytes=10_000)
    yield made
    made.close()


@pytest.mark.parametrize("renderer", [TYPED], indirect=True)
def test_a_template_that_wants_parts_gets_them(renderer: TemplateRenderer) -> None:
    assert "Hello" not in renderer.render(Conversation(HELLO.messages[:1]))
    fitting = with_fitting_content(renderer)
    assert isinstance(fitting, TypedContent)
    assert fitting.render(Conversation(HELLO.messages[:1])) == "user:Hello|"
    assert fitting.source == TYPED


@pytest.mark.parametrize("renderer", [BOTH, FALLBACK, SILENT], indirect=True)
def test_a_template_that_takes_texts_stays_as_it_is(renderer: TemplateRenderer) -> None:
    assert with_fitting_content(renderer) is renderer


@pytest.mark.parametrize("renderer", ["{{ raise_exception('no') }}"], indirect=True)
def test_a_template_that_refuses_everything_stays_as_it_is(renderer: TemplateRenderer) -> None:
    assert with_fitting_content(renderer) is renderer
    with pytest.raises(InvalidArgument):
        renderer.render(HELLO)
