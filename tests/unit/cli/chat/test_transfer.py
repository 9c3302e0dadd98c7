from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import rest_adapter
from slotline.cli.chat.conversation import Conversation, Finish, Message, Role, Statistics, ToolCall
from slotline.cli.chat.transfer import conversation_file, conversations_in, now_ms, write_conversation
from slotline.cli.options.values import InvalidValue
from tests.support.node import skip_without_node

FIGURES = Statistics(
    n_tokens=8,
    n_prompt_tokens=37,
    n_cached_tokens=None,
    tokens_per_second=20.5,
    first_token_ms=26.8,
    total_ms=73.2,
)


def _document(*conversations: object) -> dict[str, object]:
    return {"format": "slotline-conversations", "version": 1, "conversations": list(conversations)}


def _entry(**changed: object) -> dict[str, object]:
    messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    return {"id": "c", "title": "t", "updatedAt": 5, "systemPrompt": "s", "messages": messages, **changed}


def _written(path: Path, document: object) -> str:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    conversation = Conversation(lambda: 1234, "be brief")
    conversation.add(Message(Role.USER, "Wie heißt die Hauptstadt? 🏙"))
    conversation.add(Message(Role.ASSISTANT, "Ber", Finish.ERROR, "broke off", FIGURES))
    path = str(tmp_path / "c.json")
    write_conversation("/save", path, conversation)
    read = conversation_file("/load", path)
    assert (read.id, read.system_prompt, read.created_ms, read.updated_ms) == (conversation.id, "be brief", 1234, 1234)
    assert read.shown_title == conversation.shown_title
    for one, other in zip(read.messages, conversation.messages, strict=True):
        assert (one.id, one.role, one.content, one.finish, one.error, one.statistics) == (
            other.id,
            other.role,
            other.content,
            other.finish,
            other.error,
            other.statistics,
        )


def test_the_form_is_that_of_the_web_page(tmp_path: Path) -> None:
    conversation = Conversation(lambda: 1234)
    conversation.add(Message(Role.ASSISTANT, "a", Finish.LENGTH, "", FIGURES, id="m"))
    path = tmp_path / "c.json"
    write_conversation("/save", str(path), conversation)
    assert json.loads(path.read_text())["conversations"][0]["messages"] == [
        {
            "id": "m",
            "role": "assistant",
            "content": "a",
            "images": [],
            "tokens": [],
            "statistics": {
                "nTokens": 8,
                "nPromptTokens": 37,
                "nCachedTokens": None,
                "tokensPerSecond": 20.5,
                "firstTokenMs": 26.8,
                "totalMs": 73.2,
            },
            "finish": "length",
            "error": "",
        }
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_thinking_and_calls_are_written_where_there_are_any(tmp_path: Path) -> None:
    calls = (ToolCall("c1", "f", '{"a": 1}', "done", 12.5), ToolCall("c2", "g", "{}"))
    conversation = Conversation(lambda: 1234)
    conversation.add(Message(Role.ASSISTANT, "", reasoning="hm", reasoning_ms=7.5, calls=calls))
    path = tmp_path / "c.json"
    write_conversation("/save", str(path), conversation)
    (written,) = json.loads(path.read_text())["conversations"][0]["messages"]
    assert {name: written[name] for name in ("reasoning", "reasoningMs", "toolCalls")} == {
        "reasoning": "hm",
        "reasoningMs": 7.5,
        "toolCalls": [
            {"id": "c1", "name": "f", "arguments": '{"a": 1}', "result": "done", "totalMs": 12.5},
            {"id": "c2", "name": "g", "arguments": "{}", "result": None, "totalMs": None},
        ],
    }
    (read,) = conversation_file("/load", str(path)).messages
    assert (read.reasoning, read.reasoning_ms, read.calls) == ("hm", 7.5, calls)


def test_the_web_page_reads_it(tmp_path: Path) -> None:
    skip_without_node()
    conversation = Conversation(lambda: 1234, "s")
    conversation.add(Message(Role.USER, "q", images=("data:image/png;base64,AAAA", "data:image/bmp;base64,AA==")))
    conversation.add(Message(Role.ASSISTANT, "a", Finish.STOPPED, "", FIGURES))
    calls = (ToolCall("c1", "f", "{}", "done", 12.5), ToolCall("c2", "g", "{}"))
    conversation.add(Message(Role.ASSISTANT, "", Finish.STOP, reasoning="hm", reasoning_ms=7.5, calls=calls))
    path = tmp_path / "c.json"
    write_conversation("/save", str(path), conversation)
    page = Path(rest_adapter.__file__).parent / "web" / "page" / "state" / "transfer_check.js"
    # A copy whose name says that it is a module.
    (tmp_path / "check.mjs").write_text(page.read_text())
    program = (
        "import { readFileSync } from 'node:fs'; import { checkFile } from './check.mjs';"
        "console.log(JSON.stringify(checkFile(readFileSync('c.json', 'utf8'))));"
    )
    command = ["node", "--input-type=module", "--eval", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    (read,) = json.loads(done.stdout)
    (written,) = json.loads(path.read_text())["conversations"]
    assert {name: read[name] for name in written} == written


def test_what_the_page_knows_besides_is_kept(tmp_path: Path) -> None:
    message = {
        "role": "user",
        "content": "q",
        "images": ["data:image/png;base64,AAAA"],
        "tokens": [{"text": "q"}],
        "later": 1,
    }
    path = _written(tmp_path / "c.json", _document(_entry(messages=[message], pinned=True)))
    conversation = conversation_file("/load", path)
    write_conversation("/save", path, conversation)
    (written,) = json.loads(Path(path).read_text())["conversations"]
    assert written["pinned"] is True
    assert {name: written["messages"][0][name] for name in message} == message


@pytest.mark.parametrize(
    ("fields", "title"),
    [
        ({}, "t"),
        ({"isRenamed": True}, "t"),
        ({"isRenamed": False}, "q"),
        ({"isRenamed": False, "messages": []}, ""),
    ],
)
def test_a_title_that_nobody_chose_follows_the_first_question(
    fields: dict[str, object], title: str, tmp_path: Path
) -> None:
    path = _written(tmp_path / "c.json", _document(_entry(**fields)))
    conversation = conversation_file("/load", path)
    assert conversation.shown_title == title
    write_conversation("/save", path, conversation)
    (written,) = json.loads(Path(path).read_text())["conversations"]
    assert (written["title"], written["isRenamed"]) == (title or "New conversation", title == "t")


def test_of_several_the_newest_is_taken(tmp_path: Path) -> None:
    entries = [_entry(id="a", updatedAt=5), _entry(id="b", updatedAt=9), _entry(id="c", updatedAt=7)]
    path = _written(tmp_path / "c.json", _document(*entries))
    assert conversation_file("/load", path).id == "b"
    assert [one.id for one in conversations_in("/load", path)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("{", "is not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        ("[" * 100_000, "is not JSON: "),
        ("[]", 'holds no conversations; allowed is an object with "format": "slotline-conversations"'),
        ({"format": "other"}, "holds no conversations; "),
        ({"format": "slotline-conversations", "version": 2}, "version is 2; allowed is 1"),
        ({"format": "slotline-conversations", "version": 1}, "conversations is null; allowed is an array"),
        (_document(), "conversations is empty; at least one is needed"),
        (_document(_entry(), 7), "conversations[1] is 7; allowed is an object with messages"),
        (_document(_entry(messages=None)), "conversations[0].messages is null; allowed is an array"),
        (_document(_entry(messages=["x"])), 'conversations[0].messages[0] is "x"; allowed is an object with role and'),
        (
            _document(_entry(messages=[{"role": "system", "content": ""}])),
            'conversations[0].messages[0].role is "system"; allowed is "user" or "assistant"',
        ),
        (
            _document(_entry(messages=[{"role": "assistant", "content": "", "toolCalls": [{"id": "c", "name": 7}]}])),
            "conversations[0].messages[0].toolCalls[0].name is 7; allowed is a string",
        ),
        (
            _document(_entry(messages=[{"role": "assistant", "content": "", "toolCalls": "f"}])),
            'conversations[0].messages[0].toolCalls is "f"; allowed is an array',
        ),
        (
            _document(_entry(messages=[{"role": ["user"], "content": ""}])),
            'conversations[0].messages[0].role is ["user"]; allowed is "user" or "assistant"',
        ),
        (
            _document(_entry(messages=[{"role": "user", "content": ["x" * 99]}])),
            f'conversations[0].messages[0].content is ["{"x" * 55}...; allowed is a string',
        ),
        (
            _document(_entry(messages=[{"role": "user", "content": "", "finish": "x"}])),
            'conversations[0].messages[0].finish is "x"; allowed is null or one of stop, length, stopped, error',
        ),
        (
            _document(_entry(messages=[{"role": "user", "content": "", "images": ["https://h/a.png"]}])),
            'conversations[0].messages[0].images[0] is "https://h/a.png"; allowed is a data URL of a picture',
        ),
        (_document(_entry(systemPrompt=1)), "conversations[0].systemPrompt is 1; allowed is a string"),
    ],
)
def test_rubbish_is_refused_with_its_place(document: object, problem: str, tmp_path: Path) -> None:
    path = _written(tmp_path / "c.json", document)
    with pytest.raises(InvalidValue) as caught:
        conversation_file("--load", path)
    assert str(caught.value).startswith(f"--load {path}: {problem}")


@pytest.mark.parametrize("statistics", [None, "x", {}, {"nTokens": 1}, {"nTokens": True, "totalMs": 1}])
def test_figures_that_lack_something_are_left_out(statistics: Any, tmp_path: Path) -> None:
    messages = [{"role": "assistant", "content": "", "statistics": statistics}]
    path = _written(tmp_path / "c.json", _document(_entry(messages=messages)))
    assert conversation_file("/load", path).messages[0].statistics is None


def test_a_file_is_overwritten_only_if_it_holds_the_same_conversation(tmp_path: Path) -> None:
    conversation = Conversation(now_ms)
    path = tmp_path / "c.json"
    write_conversation("/save", str(path), conversation)
    conversation.add(Message(Role.USER, "q"))
    write_conversation("/save", str(path), conversation)
    assert len(conversation_file("/load", str(path)).messages) == 1
    several = json.loads(path.read_text())
    several["conversations"].append(_entry())
    for content in (json.dumps(several), "my notes", json.dumps(_document(_entry()))):
        path.write_text(content)
        with pytest.raises(InvalidValue, match=r"^/save .*/c\.json: exists and holds something else; choose another "):
            write_conversation("/save", str(path), conversation)
        assert path.read_text() == content


def test_a_file_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"^/save .*/no/c\.json: cannot be written: No such file or directory$"):
        write_conversation("/save", str(tmp_path / "no" / "c.json"), Conversation(now_ms))
    assert list(tmp_path.iterdir()) == []
