"""Chat templates of all kinds, also those that mean harm."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service.errors import Draining, InvalidArgument, TemplateWorkerLost
from service.prompts.renderer import N_WORKERS, TemplateRenderer
from service.prompts.template_process import TemplateFailure, WorkerProcess
from service.prompts.templates import Conversation
from service.prompts.work import Abandoned, Work
from tests.support.waiting import wait_until

MAX_OUTPUT_BYTES = 1 << 16
HELLO = Conversation([{"role": "user", "content": "hello"}])

Make = Callable[[str], TemplateRenderer]


@pytest.fixture
def make() -> Iterator[Make]:
    renderers = []

    def make_one(source: str) -> TemplateRenderer:
        renderer = TemplateRenderer(
            source, bos="<bos>", eos="<eos>", max_output_bytes=MAX_OUTPUT_BYTES, cpu_limit_s=0.5
        )
        renderers.append(renderer)
        return renderer

    yield make_one
    for renderer in renderers:
        renderer.close()


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ bos_token }}{{ messages[0]['content'] }}{{ eos_token }}", "<bos>hello<eos>"),
        ("{{ messages[0].role }}", "user"),
        ("{% if tools is none %}no tools{% endif %}", "no tools"),
        ("{% if documents is none %}no documents{% endif %}", "no documents"),
        ("{{ add_generation_prompt }}", "True"),
        ("{{ nothing is defined }}", "False"),
        # Blocks leave no blank lines behind.
        ("a\n  {% if true %}\nb\n  {% endif %}\nc", "a\nb\nc"),
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        ("{% generation %}{{ 1 + 1 }}{% endgeneration %}", "2"),
        ("{{ {'b': '<é>', 'a': 1} | tojson }}", '{"b": "<é>", "a": 1}'),
        ("{{ {'b': 2, 'a': 1} | tojson(indent=1, sort_keys=true) }}", '{\n "a": 1,\n "b": 2\n}'),
        ("{{ strftime_now('%Y') | length }}", "4"),
        ("{% set ns = namespace(n=0) %}{% for _ in range(3) %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "3"),
        ("{{ '\\U0001f600' }}", "😀"),
    ],
)
def test_what_published_templates_use_is_there(make: Make, source: str, text: str) -> None:
    assert make(source).render(HELLO) == text


def test_tools_and_variables_reach_the_template(make: Make) -> None:
    renderer = make("{{ tools[0].function.name }} {{ enable_thinking }}")
    tools = [{"type": "function", "function": {"name": "add"}}]
    assert renderer.render(Conversation([], tools=tools, variables={"enable_thinking": False})) == "add False"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ raise_exception('roles must alternate') }}", "^chat.messages: roles must alternate$"),
        ("\n{{ messages.nope.x }}", "in line 2: UndefinedError"),
        ("{{ messages[0]['content'] + 1 }}", "in line 1: TypeError"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{% for message in messages %}{% set _ = messages.append(message) %}{% endfor %}", "more than 0.5 s|memory"),
        ("{{ range(1000000) }}", "OverflowError"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nests too deeply"),
        ("{% for i in range(99999) %}{{ i }}{% endfor %}", f"writes more than {MAX_OUTPUT_BYTES} bytes"),
        ("{{ 'é' * 40000 }}", f"writes more than {MAX_OUTPUT_BYTES} bytes"),
        ("{{ '\\ud800' }}", "UnicodeEncodeError"),
        ("{{ raise_exception('x' * 10000) }}", r"\.\.\.$"),
        # No Python code runs in these, or none that could be interrupted.
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "more than 0.5 s of CPU"),
        ("{{ (messages | length + 9) ** 99999999 }}", "more than 0.5 s of CPU"),
        ("{{ messages[0]['content'] * 10 ** 10 }}", "too much memory"),
        ("{{ '%9999999999d' % (messages | length) }}", "too much memory|OverflowError|ValueError"),
        (
            "{% set ns = namespace(x='hello') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            # Whichever limit the machine reaches first: filling half a gigabyte takes a while on a slow one.
            "too much memory|more than 0.5 s of CPU",
        ),
    ],
)
def test_a_template_that_fails_or_means_harm_ends_with_a_reason(make: Make, source: str, reason: str) -> None:
    renderer = make(source)
    with pytest.raises(InvalidArgument, match=reason) as caught:
        renderer.render(HELLO)
    assert len(caught.value.message) < 500
    caught.value.message.encode()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% if %}", "in line 1: TemplateSyntaxError"),
        ("{{ 1 ", "TemplateSyntaxError"),
        ("{{ x | nofilter }}", "nofilter"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "nests too deeply"),
        # Evaluated while compiling.
        ("{{ 'a' * 10 ** 10 }}", "memory"),
        ("{{ 9 ** 999999999 }}", "more than 0.5 s of CPU"),
    ],
)
def test_a_template_that_cannot_be_compiled_says_why(make: Make, source: str, reason: str) -> None:
    with pytest.raises((TemplateFailure, InvalidArgument), match=reason):
        make(source).render(HELLO)


def test_after_a_template_has_killed_its_process_the_next_rendering_works(make: Make) -> None:
    renderer = make(
        "{% if messages | length > 1 %}"
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
        "{% endif %}fine"
    )
    endless = Conversation([*HELLO.messages, *HELLO.messages])
    for _ in range(2):
        with pytest.raises(InvalidArgument, match="CPU"):
            renderer.render(endless)
        assert renderer.render(HELLO) == "fine"


def test_renderings_do_not_see_each_other(make: Make) -> None:
    renderer = make("{% set ns = namespace(n=n | default(0)) %}{{ ns.n }}{{ messages[0]['content'] }}")
    assert renderer.render(Conversation([{"role": "user", "content": "a"}], variables={"n": 5})) == "5a"
    assert renderer.render(Conversation([{"role": "user", "content": "b"}])) == "0b"


def test_lists_that_a_template_changes_are_new_in_each_rendering(make: Make) -> None:
    renderer = make(
        "{% set seen = [] %}{% macro count(all=[]) %}{% set _ = all.append(1) %}{{ all | length }}{% endmacro %}"
        "{% set _ = messages.append(1) %}{% set _ = seen.append(1) %}"
        "{{ messages | length }} {{ seen | length }} {{ count() }} {{ count() }}"
    )
    assert [renderer.render(HELLO) for _ in range(3)] == ["2 1 1 1"] * 3


def test_several_threads_may_render_at_once(make: Make) -> None:
    renderer = make("{{ messages[0]['content'] }}")
    conversations = [Conversation([{"role": "user", "content": f"{n}"}]) for n in range(60)]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(renderer.render, conversations)) == [f"{n}" for n in range(60)]


def test_a_large_conversation_goes_through_the_pipe_in_both_directions() -> None:
    text = "é" * 1_000_000
    renderer = TemplateRenderer("{{ messages[0]['content'] }}", bos="", eos="", max_output_bytes=4 << 20)
    try:
        assert renderer.render(Conversation([{"role": "user", "content": text}])) == text
    finally:
        renderer.close()


def test_a_closed_renderer_refuses_and_may_be_closed_again(make: Make) -> None:
    renderer = make("fine {{ 1 }}")
    renderer.close()
    with pytest.raises(Draining, match="shutting down"):
        renderer.render(HELLO)
    renderer.close()


def test_closing_ends_a_rendering_that_is_under_way() -> None:
    renderer = TemplateRenderer(
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        bos="",
        eos="",
        max_output_bytes=1,
        cpu_limit_s=1000,
    )
    with ThreadPoolExecutor(1) as threads:
        rendering = threads.submit(renderer.render, HELLO)
        while not rendering.running():
            pass
        renderer.close()
        assert isinstance(rendering.exception(timeout=30), Draining)


ENDLESS = (
    "{% if messages | length > 1 %}{{ messages[0]['content'] }}"
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}{% endif %}fine"
)


def end_next_process(renderer: TemplateRenderer, number: signal.Signals) -> int:
    """Send a signal to the process that renders next and wait for its end, which the renderer has yet to notice."""
    pid = renderer.next_pid
    assert pid is not None
    os.kill(pid, number)
    wait_for_end(pid)
    return pid


def wait_for_end(pid: int) -> None:
    """Wait until a process of ours has ended; it is left for its owner to reap."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_that_was_lost_is_replaced_and_the_rendering_tried_again(make: Make, number: signal.Signals) -> None:
    renderer = make("fine {{ 1 }}")
    lost = end_next_process(renderer, number)
    assert renderer.render(HELLO) == "fine 1"
    assert renderer.next_pid not in (lost, None)


def test_a_process_that_is_lost_twice_is_not_the_callers_fault(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = make("fine {{ 1 }}")
    exchange, requests = WorkerProcess.exchange, []

    def lose(process: WorkerProcess, request: dict[str, Any]) -> dict[str, str] | None:
        if "render" in request:
            requests.append(request)
            process.kill()
            wait_for_end(process.pid)
        return exchange(process, request)

    with monkeypatch.context() as patch:
        patch.setattr(WorkerProcess, "exchange", lose)
        with pytest.raises(TemplateWorkerLost, match="status -9") as caught:
            renderer.render(HELLO)
    assert len(requests) == 2
    assert caught.value.retry_after_s == 1.0
    assert renderer.render(HELLO) == "fine 1"


def test_a_process_that_cannot_be_started_is_not_the_callers_fault(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = make("fine {{ 1 }}")
    end_next_process(renderer, signal.SIGKILL)

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        with pytest.raises(TemplateWorkerLost, match="does not start"):
            renderer.render(HELLO)
    assert renderer.render(HELLO) == "fine 1"


def test_a_rendering_whose_caller_has_gone_is_ended() -> None:
    renderer = TemplateRenderer(ENDLESS, bos="", eos="", max_output_bytes=99, cpu_limit_s=1000)
    work = Work()
    endless = Conversation([*HELLO.messages, *HELLO.messages])
    try:
        with ThreadPoolExecutor(1) as threads:
            rendering = threads.submit(renderer.render, endless, work)
            wait_until("a rendering", lambda: renderer.n_idle < N_WORKERS)
            work.abandon()
            assert isinstance(rendering.exception(timeout=30), Abandoned)
        assert renderer.render(HELLO) == "fine"
    finally:
        renderer.close()


def test_a_caller_who_leaves_the_queue_for_a_process_is_forgotten() -> None:
    renderer = TemplateRenderer(ENDLESS, bos="", eos="", max_output_bytes=99, cpu_limit_s=1000)
    endless = Conversation([*HELLO.messages, *HELLO.messages])
    running, waiting = [Work() for _ in range(N_WORKERS)], Work()
    try:
        with ThreadPoolExecutor(N_WORKERS + 1) as threads:
            renderings = [threads.submit(renderer.render, endless, work) for work in running]
            wait_until("two renderings", lambda: not renderer.n_idle)
            queued = threads.submit(renderer.render, HELLO, waiting)
            waiting.abandon()
            assert isinstance(queued.exception(timeout=30), Abandoned)
            assert not any(rendering.done() for rendering in renderings)
            for work in running:
                work.abandon()
        assert renderer.render(HELLO) == "fine"
    finally:
        renderer.close()
