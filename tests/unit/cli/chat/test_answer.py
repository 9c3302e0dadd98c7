from __future__ import annotations

import pytest

from slotline.cli.chat.answer import Answer, ask
from slotline.cli.chat.conversation import Conversation, Finish, Message, Role, Statistics, ToolCall
from slotline.cli.chat.server import Event, ServerError
from tests.support.scripted_chat import ScriptedServer, Seen, called, said, thought


def _ask(server: ScriptedServer, clock: list[float] | None = None, shown: Seen | None = None) -> Answer:
    conversation = Conversation(lambda: 0, "s")
    conversation.add(Message(Role.USER, "q"))
    times = iter(clock or [0.0] * 99)
    answer = ask(
        server,
        conversation,
        {"top_k": 1},
        shown or Seen(),
        clock=lambda: next(times),
    )
    assert server.is_left
    # Whoever asked decides what stays.
    assert len(conversation.messages) == 1
    return answer


def test_the_body_has_the_conversation_and_the_settings() -> None:
    server = ScriptedServer(said("a", "stop"))
    _ask(server)
    assert server.bodies == [
        {
            "top_k": 1,
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]


def test_text_is_shown_as_it_comes_and_measured() -> None:
    usage = {"completion_tokens": 3, "prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}
    events = [{"choices": [{"delta": {"role": "assistant"}, "finish_reason": None}], "usage": None}]
    server = ScriptedServer(
        *events, said("a"), said("b"), said("c"), said(None, "stop"), {"choices": [], "usage": usage}
    )
    shown = Seen()
    answer = _ask(server, [10.0, 10.25, 10.5, 10.75, 11.0], shown)
    assert shown.events == [("text", "a"), ("text", "b"), ("text", "c")]
    assert answer.failure is None
    message = answer.message
    assert (message.role, message.content, message.finish, message.error) == (Role.ASSISTANT, "abc", Finish.STOP, "")
    assert message.statistics == Statistics(
        n_tokens=3,
        n_prompt_tokens=9,
        n_cached_tokens=4,
        tokens_per_second=4.0,
        first_token_ms=250.0,
        total_ms=1000.0,
    )


def test_a_server_that_counts_nothing_leaves_figures_open() -> None:
    answer = _ask(ScriptedServer(said("a"), said("b", "length")))
    assert answer.message.finish is Finish.LENGTH
    assert answer.message.statistics == Statistics(
        n_tokens=2, n_prompt_tokens=None, n_cached_tokens=None, tokens_per_second=None, first_token_ms=0.0, total_ms=0.0
    )


def test_ctrl_c_keeps_what_came() -> None:
    answer = _ask(ScriptedServer(said("a"), KeyboardInterrupt()))
    assert (answer.message.content, answer.message.finish, answer.failure) == ("a", Finish.STOPPED, None)


@pytest.mark.parametrize("content", ["", "a"])
def test_an_error_keeps_what_came(content: str) -> None:
    failure = ServerError("the core died", status=503)
    answer = _ask(ScriptedServer(said(content), failure))
    message = answer.message
    assert (message.content, message.finish, message.error) == (content, Finish.ERROR, "the core died")
    assert answer.failure is failure


def test_a_stream_without_an_end_is_an_error() -> None:
    answer = _ask(ScriptedServer(said("a")))
    assert answer.message.finish is Finish.ERROR
    assert str(answer.failure) == "the answer broke off: the server closed the connection"


@pytest.mark.parametrize("event", [{}, {"choices": None}, {"choices": [7]}, {"choices": [{"delta": 7}]}])
def test_events_of_other_servers_are_passed_over(event: Event) -> None:
    assert _ask(ScriptedServer(event, said("a", "stop"))).message.content == "a"


def test_thinking_is_told_apart_and_timed() -> None:
    shown = Seen()
    server = ScriptedServer(thought("hm"), thought(", so"), said("a", "stop"))
    message = _ask(server, [10.0, 10.5, 11.0, 12.5, 13.0], shown).message
    assert shown.events == [("thought", "hm"), ("thought", ", so"), ("thought for", 2000.0), ("text", "a")]
    assert (message.content, message.reasoning, message.reasoning_ms) == ("a", "hm, so", 2000.0)
    assert message.statistics is not None
    assert (message.statistics.n_tokens, message.statistics.first_token_ms) == (3, 500.0)


def test_thinking_that_is_all_there_is_ends_too() -> None:
    shown = Seen()
    event: Event = {"choices": [{"delta": {"reasoning": "hm"}, "finish_reason": None}]}
    message = _ask(ScriptedServer(event, KeyboardInterrupt()), shown=shown).message
    assert shown.events == [("thought", "hm"), ("thought for", 0.0)]
    assert (message.content, message.reasoning, message.finish) == ("", "hm", Finish.STOPPED)


def test_tool_calls_are_put_together() -> None:
    shown = Seen()
    server = ScriptedServer(
        said("Well"),
        called(id="c1", name="f"),
        called(arguments='{"a"'),
        called(arguments=": 1}"),
        called(1, "{}", id="c2", name="g"),
        said(None, "tool_calls"),
    )
    message = _ask(server, [0.0, 1.0, 2.0, 3.0, 3.5, 4.0, 5.0], shown).message
    assert message.calls == (ToolCall("c1", "f", '{"a": 1}', None, 1500.0), ToolCall("c2", "g", "{}", None, 0.0))
    assert (message.content, message.finish) == ("Well", Finish.STOP)
    assert shown.events == [
        ("text", "Well"),
        ("call", "f"),
        ("arguments", '{"a"'),
        ("arguments", ": 1}"),
        ("call", "g"),
        ("arguments", "{}"),
    ]


def test_a_call_that_was_cut_is_not_kept() -> None:
    server = ScriptedServer(called(id="c1", name="f", arguments='{"a": '), said(None, "length"))
    message = _ask(server).message
    assert (message.calls, message.finish) == ((), Finish.LENGTH)


@pytest.mark.parametrize("call", [7, {}, {"function": None}, {"function": {"name": 7, "arguments": 7}}])
def test_calls_of_other_servers_do_no_harm(call: object) -> None:
    event: Event = {"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": None}]}
    assert _ask(ScriptedServer(event, said("a", "stop"))).message.content == "a"
