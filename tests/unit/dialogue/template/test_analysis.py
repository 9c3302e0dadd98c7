"""What a template shows of the way in which its model answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.dialogue.chat_format import HERMES, CallIds, ChatFormat
from service.dialogue.known_formats import KNOWN_FORMATS
from service.dialogue.template.analysis import UNKNOWN, analyse
from service.dialogue.template.probes import GaveUp, Probe
from tests.support.chat_templates import PLAIN, TEMPLATES, SmallTemplate, each_argument, each_call, renderer_of

#: Names at which the answers of these templates end.
ENDS = ("<|im_end|>", "<|calls|>")


def found_in(source: str) -> ChatFormat:
    return analyse(source, renderer_of(source), end_names=ENDS)


@pytest.mark.parametrize("name", TEMPLATES)
def test_calls_are_found_as_the_family_writes_them(name: str) -> None:
    found = found_in(TEMPLATES[name].source)
    expected = KNOWN_FORMATS[name].calls
    if name == "solar":
        expected = replace(expected, section_close="")  # generation ends there
    assert found.calls == expected
    assert found.source == "template"


@pytest.mark.parametrize("name", TEMPLATES)
def test_reasoning_and_content_are_found_as_the_family_writes_them(name: str) -> None:
    found, known = found_in(TEMPLATES[name].source), KNOWN_FORMATS[name]
    if name not in ("lfm2", "granite3", "nemotron-v2", "minimax-m1", "deepseek-v3.1", "deepseek-v3.2", "kimi-k2"):
        assert found.reasoning == known.reasoning
    assert found.content == known.content


def test_a_template_without_tools_gets_them_from_the_server() -> None:
    found = found_in(PLAIN)
    assert found.calls == HERMES
    assert found.source == "fallback"
    assert not found.renders_tools
    assert not found.history.renders_calls
    assert not found.history.knows_tool_role


def test_history_is_found_as_templates_want_it() -> None:
    def history(name: str) -> object:
        return found_in(TEMPLATES[name].source).history

    usual = found_in(TEMPLATES["hermes"].source).history
    assert usual.renders_calls
    assert usual.parallel
    assert usual.knows_tool_role
    assert usual.call_ids is CallIds.ANY
    assert history("llama3") == replace(usual, parallel=False)
    assert history("mistral-nemo") == replace(usual, call_ids=CallIds.NINE)
    assert history("kimi-k2") == replace(usual, call_ids=CallIds.NUMBERED)
    assert history("functionary-3.2") == replace(usual, arguments_as_text=True)
    assert history("deepseek-r1") == replace(usual, arguments_as_text=True)
    assert history("gpt-oss") == replace(usual, parallel=False, knows_developer=True)
    assert history("lfm2") == replace(usual, renders_calls=False)


def test_a_template_that_concatenates_content_wants_null_where_it_tests_for_it() -> None:
    source = (
        "{% for m in messages %}{{ m.role }}:{% if m.role == 'assistant' and m.content is none %}"
        "{% for c in m.tool_calls %}<call>{{ c.function | tojson }}</call>{% endfor %}"
        "{% else %}{{ m.content + '' }}{% endif %}\n{% endfor %}{{ tools | tojson }}"
    )
    assert found_in(source).history.null_content


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        # Keys in another order, and arguments as the text that they are.
        ('<call>{ "arguments": {{ f.arguments | tojson }}, "name": "{{ f.name }}"}</call>', "json"),
        ('<call>{"name": "{{ f.name }}", "arguments": {{ f.arguments }}}</call>', "json"),
        ("<call>{{ f.name }}(" + each_argument("{{ name }}={{ value | tojson }}", ", ") + ")</call>", "python"),
        # What may begin any text begins no call.
        ("[{{ f.name }}(" + each_argument("{{ name }}={{ value | tojson }}", ", ") + ")]", ""),
        ("{{ f.name }}\n{{ f.arguments | tojson }}", ""),
        # No value is told from the next.
        ("<call>{{ f.name }} {{ f.arguments.values() | join }}</call>", ""),
    ],
)
def test_what_a_template_writes_is_understood_or_counts_as_none(call: str, expected: str) -> None:
    found = found_in(SmallTemplate(each_call(call)).source)
    assert (found.calls.style.value if found.source == "template" else "") == expected
    assert found.renders_tools is found.history.renders_calls is bool(expected)


def test_arguments_that_are_written_as_they_come_are_wanted_as_text() -> None:
    call = '<call>{"name": "{{ f.name }}", "arguments": {{ f.arguments }}}</call>'
    assert found_in(SmallTemplate(each_call(call)).source).history.arguments_as_text


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_is_looked_for_under_several_keys(key: str) -> None:
    source = TEMPLATES["hermes"].source.replace("reasoning_content", key)
    assert found_in(source).history.reasoning_key == key


def test_a_template_may_write_either_a_text_or_calls() -> None:
    either = "{{ message.content }}{% if not message.content %}" + TEMPLATES["hermes"].calls + "{% endif %}"
    source = replace(TEMPLATES["hermes"], beside="", calls=either).source
    found = found_in(source)
    assert found.calls == HERMES
    assert not found.history.content_beside_calls


def test_a_section_may_be_closed_only_if_it_holds_several_calls() -> None:
    calls = TEMPLATES["nemotron-v2"].calls
    closed = "{{ ']</TOOLCALL>' }}"
    assert calls.endswith(closed)
    late = calls.removesuffix(closed) + "{% if message.tool_calls | length > 1 %}" + closed + "{% endif %}"
    assert found_in(replace(TEMPLATES["nemotron-v2"], calls=late).source).calls == KNOWN_FORMATS["nemotron-v2"].calls


def test_a_role_is_known_if_it_is_treated_in_a_way_of_its_own() -> None:
    generic = "{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}"
    silent = "{% for m in messages if m.role == 'user' %}{{ m.content }}\n{% endfor %}"
    knowing = "{% for m in messages %}{{ 'admin' if m.role == 'developer' else m.role }}:{{ m.content }}\n{% endfor %}"
    assert [found_in(source).history.knows_developer for source in (generic, silent, knowing)] == [False, False, True]
    assert [found_in(source).history.knows_system for source in (generic, silent, knowing)] == [True, False, True]


@pytest.mark.parametrize(
    ("head", "on_off", "on", "off", "effort", "no_effort"),
    [
        ("", "", True, False, "", ""),
        (
            "{% if enable_thinking is defined and not enable_thinking %}quick{% endif %}",
            *("enable_thinking", True, False, "", ""),
        ),
        ("{% if thinking %}slow{% endif %}", "thinking", True, False, "", ""),
        ("{% if thinking_mode == 'enabled' %}slow{% endif %}", "thinking_mode", "enabled", "disabled", "", ""),
        # The name alone is no switch.
        ("{% set thinking = 1 %}{{ 'thinking' }}", "", True, False, "", ""),
        ("Reasoning: {{ reasoning_effort | default('medium') }}", "", True, False, "reasoning_effort", ""),
        ("{{ '' if reasoning_effort == 'none' else 'slow' }}", "", True, False, "reasoning_effort", "none"),
        (
            "{% if reasoning_effort not in ['low', 'high', 'no_think'] %}{{ raise_exception('no') }}{% endif %}"
            "{{ '' if reasoning_effort == 'no_think' else 'slow' }}",
            *("", True, False, "reasoning_effort", "no_think"),
        ),
    ],
)
def test_switches_of_reasoning_are_variables_that_change_what_is_rendered(
    head: str, on_off: str, on: bool | str, off: bool | str, effort: str, no_effort: str
) -> None:
    switches = found_in(head + PLAIN).reasoning_switches
    assert (switches.on_off, switches.on, switches.off) == (on_off, on, off)
    assert (switches.effort, switches.no_effort) == (effort, no_effort)


@pytest.mark.parametrize("source", ["{{ raise_exception('never') }}", "", "{{ messages[9].content.x }}"])
def test_a_template_that_renders_nothing_of_use_is_no_failure(source: str) -> None:
    found = found_in(source)
    assert found.calls == HERMES
    assert found.source == "fallback"


def test_a_template_that_cannot_be_rendered_at_all_is_given_up() -> None:
    def render(probe: Probe) -> str | None:
        raise GaveUp

    assert analyse(PLAIN, render) == UNKNOWN


def test_a_chosen_format_counts_whatever_the_template_shows() -> None:
    source = TEMPLATES["mistral"].source
    found = analyse(source, renderer_of(source), chosen=KNOWN_FORMATS["apertus"])
    assert found.calls == KNOWN_FORMATS["apertus"].calls
    assert found.source == "option"
    assert found.renders_tools
    assert found.history.renders_calls
