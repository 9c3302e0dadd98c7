from __future__ import annotations

import itertools

import pytest

from slotline.cli.chat.conversation import Conversation, Finish, Message, Role, ToolCall


def _conversation(*contents: str, system_prompt: str = "") -> Conversation:
    """Questions and answers in turn, with one millisecond for each."""
    conversation = Conversation(itertools.count(1000).__next__, system_prompt)
    for content, role in zip(contents, itertools.cycle(Role), strict=False):
        conversation.add(Message(role, content, finish=Finish.STOP if role is Role.ASSISTANT else None))
    return conversation


def _contents(conversation: Conversation) -> list[str]:
    return [message.content for message in conversation.messages]


def test_a_request_has_the_system_prompt_and_the_messages_in_turn() -> None:
    assert _conversation("a", "b", "c", system_prompt="s").for_request() == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]


def test_questions_without_an_answer_between_them_are_sent_as_one() -> None:
    conversation = _conversation("a", "b", "c")
    conversation.add(Message(Role.USER, "d"))
    assert conversation.for_request()[2:] == [{"role": "user", "content": "c\n\nd"}]
    assert _contents(conversation) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("contents", "dropped", "left"),
    [([], None, []), (["a"], None, ["a"]), (["a", "b"], "b", ["a"]), (["a", "b", "c"], None, ["a", "b", "c"])],
)
def test_only_the_last_answer_is_dropped(contents: list[str], dropped: str | None, left: list[str]) -> None:
    conversation = _conversation(*contents)
    message = conversation.drop_answer()
    assert (message.content if message else None, _contents(conversation)) == (dropped, left)
    assert conversation.wants_answer is bool(left)


@pytest.mark.parametrize(
    ("contents", "question", "left"),
    [([], None, []), (["a"], "a", []), (["a", "b"], "a", []), (["a", "b", "c"], "c", ["a", "b"])],
)
def test_undo_takes_a_question_with_its_answer(contents: list[str], question: str | None, left: list[str]) -> None:
    conversation = _conversation(*contents)
    undone = conversation.undo()
    assert (undone.content if undone else None, _contents(conversation)) == (question, left)


def test_the_title_is_the_beginning_of_the_first_question_until_it_is_given() -> None:
    assert _conversation().shown_title == ""
    assert _conversation("a\n  b").shown_title == "a b"
    conversation = _conversation("x" * 61)
    assert conversation.shown_title == "x" * 59 + "…"
    conversation.title = "mine"
    assert conversation.shown_title == "mine"


def test_every_change_is_noted() -> None:
    conversation = _conversation("a", "b")
    times = [conversation.updated_ms]
    for change in (conversation.drop_answer, conversation.undo):
        change()
        times.append(conversation.updated_ms)
    assert times == sorted(set(times))
    assert conversation.created_ms == 1000


CALLS = (ToolCall("c1", "f", '{"a": 1}'), ToolCall("c2", "g", "{}"))


def _calling() -> Conversation:
    """A question, and an answer that calls two tools."""
    conversation = _conversation("a")
    conversation.add(Message(Role.ASSISTANT, "", finish=Finish.STOP, reasoning="hm", calls=CALLS))
    return conversation


def test_results_are_said_one_after_the_other() -> None:
    conversation = _calling()
    for number, (call, result) in enumerate(zip(CALLS, ("one", ""), strict=True)):
        assert conversation.open_call is conversation.messages[-1].calls[number]
        assert conversation.open_call == call
        assert not conversation.wants_answer
        conversation.add_result(result)
    assert conversation.open_call is None
    assert conversation.wants_answer


def test_calls_and_results_are_sent_with_what_was_thought() -> None:
    conversation = _calling()
    conversation.add_result("one")
    conversation.add_result("two")
    conversation.add(Message(Role.ASSISTANT, "b", finish=Finish.STOP))
    functions = [{"name": "f", "arguments": '{"a": 1}'}, {"name": "g", "arguments": "{}"}]
    calls = [{"id": f"c{i}", "type": "function", "function": one} for i, one in enumerate(functions, 1)]
    assert conversation.for_request() == [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
        {"role": "assistant", "content": "b"},
    ]


def test_a_call_without_a_result_is_not_sent() -> None:
    conversation = _calling()
    conversation.add(Message(Role.USER, "never mind"))
    assert conversation.for_request()[1:] == [
        {"role": "assistant", "content": "", "reasoning_content": "hm"},
        {"role": "user", "content": "never mind"},
    ]


def test_answering_again_begins_behind_the_results_that_are_there() -> None:
    conversation = _calling()
    assert conversation.drop_answer() is not None
    assert _contents(conversation) == ["a"]
    conversation = _calling()
    conversation.add_result("one")
    conversation.add_result("two")
    assert conversation.drop_answer() is None
    conversation.add(Message(Role.ASSISTANT, "b"))
    dropped = conversation.drop_answer()
    assert dropped is not None
    assert (dropped.content, conversation.wants_answer, len(conversation.messages)) == ("b", True, 2)
    undone = conversation.undo()
    assert undone is not None
    assert undone.content == "a"


CAT = "data:image/png;base64,AAAA"
SHOWN_CAT = {"type": "image_url", "image_url": {"url": CAT}}


def test_pictures_stand_before_the_text_of_their_question() -> None:
    conversation = Conversation(lambda: 7)
    conversation.add(Message(Role.USER, "What is this?", images=(CAT,)))
    conversation.add(Message(Role.ASSISTANT, "A cat."))
    conversation.add(Message(Role.USER, "", images=(CAT, CAT)))
    assert [message["content"] for message in conversation.for_request()] == [
        [SHOWN_CAT, {"type": "text", "text": "What is this?"}],
        "A cat.",
        [SHOWN_CAT, SHOWN_CAT],
    ]


def test_questions_without_an_answer_between_them_keep_their_pictures() -> None:
    conversation = Conversation(lambda: 7)
    conversation.add(Message(Role.USER, "Look."))
    conversation.add(Message(Role.USER, "What is this?", images=(CAT,)))
    conversation.add(Message(Role.USER, "Well?"))
    (message,) = conversation.for_request()
    assert message["content"] == [
        {"type": "text", "text": "Look."},
        SHOWN_CAT,
        {"type": "text", "text": "What is this?"},
        {"type": "text", "text": "Well?"},
    ]


def test_a_question_of_pictures_alone_has_a_title() -> None:
    conversation = Conversation(lambda: 7)
    conversation.add(Message(Role.USER, "", images=(CAT,)))
    assert conversation.shown_title == "Image"
