from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from slotline.cli.chat.commands import COMMANDS, completions, obey
from slotline.cli.chat.conversation import Conversation, Finish, Message, Role, Statistics
from slotline.cli.chat.sampling import SETTINGS
from slotline.cli.chat.screen import Screen
from slotline.cli.chat.server import Event, ServerError
from slotline.cli.chat.session import ChatSession
from tests.support.scripted_chat import ScriptedServer, Step, called, said, thought

if TYPE_CHECKING:
    from pathlib import Path


class Chat:
    """A session whose screen is a text."""

    def __init__(self, *steps: Step) -> None:
        self._stream = io.StringIO()
        self.server = ScriptedServer(*steps)
        screen = Screen(self._stream, is_colored=False)
        self.session = ChatSession(self.server, screen, Conversation(lambda: 7), {})

    def __call__(self, line: str) -> str:
        """What the screen shows after a command or question."""
        self._stream.seek(0)
        self._stream.truncate()
        if line.startswith("/"):
            obey(self.session, line)
        elif self.session.conversation.open_call:
            self.session.give_result(line)
        else:
            self.session.say(line)
        return self._stream.getvalue()

    @property
    def contents(self) -> list[str]:
        return [message.content for message in self.session.conversation.messages]


def usage(n_prompt: int, n_tokens: int, **details: int) -> Event:
    """The last chunk of an answer: what it took."""
    counts = {"prompt_tokens": n_prompt, "completion_tokens": n_tokens, "prompt_tokens_details": details}
    return {"choices": [], "usage": counts}


# Settings.


def test_options_are_set_shown_and_left_to_the_server() -> None:
    chat = Chat(said("a", "stop"))
    assert chat("/set temperature 0.3") == "temperature = 0.3\n"
    assert chat("/set top_k=5") == "top_k = 5\n"
    assert chat('/set stop  ["x", "y"]') == 'stop = ["x", "y"]\n'
    shown = chat("/set")
    assert shown.startswith(
        'n_predict = 1024\ntemperature = 0.3\ntop_p = 0.95\nreasoning_format = auto\ntop_k = 5\nstop = ["x", "y"]\n'
    )
    assert "\nas the server has it: dynatemp_range, " in shown
    assert chat("/unset top_p") == "top_p is as the server has it\n"
    chat("q")
    body = chat.server.bodies[0]
    assert {name: body[name] for name in ("n_predict", "temperature", "top_k", "stop")} == {
        "n_predict": 1024,
        "temperature": 0.3,
        "top_k": 5,
        "stop": ["x", "y"],
    }
    assert "top_p" not in body


def test_an_option_alone_is_explained() -> None:
    chat = Chat()
    assert chat("/set top_k") == (
        "top_k: Chooses among so many of the most likely tokens. 0 or less is off. Now the server's default.\n"
    )
    assert chat("/set n_predict").endswith(" Now 1024.\n")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("/set temprature 1", "error: temprature is no option; did you mean temperature?\n"),
        ("/set temprature", "error: temprature is no option; did you mean temperature?\n"),
        ("/set top_p 2", "error: top_p 2 is out of range; allowed is a number from 0 to 1\n"),
        ("/unset temprature", "error: temprature is no option; did you mean temperature?\n"),
        ("/unset", "error: /unset needs a name; set are n_predict, temperature, top_p, reasoning_format\n"),
        ("/undo", "error: /undo: there is no question to take back\n"),
        ("/edit", "error: /edit: there is no question to change\n"),
        ("/regen", "error: there is no question to answer again\n"),
        ("/save", "error: /save needs the name of a file\n"),
        ("/load", "error: /load needs the name of a file\n"),
        ("/load /nothing", "error: /load /nothing: cannot be read: No such file or directory\n"),
        ("/halp", "error: /halp is no command; did you mean /help? (// begins a text with a slash)\n"),
        ("/usr/bin x", "error: /usr/bin is no command; /help lists them (// begins a text with a slash)\n"),
    ],
)
def test_mistakes_are_told_and_change_nothing(line: str, problem: str) -> None:
    chat = Chat()
    before = dict(chat.session.settings)
    assert chat(line) == problem
    assert chat.session.settings == before
    assert not chat.session.is_over


def test_the_system_prompt() -> None:
    chat = Chat(said("a", "stop"))
    assert chat("/system") == "system prompt: none\n"
    assert chat("/system Be  brief.") == "system prompt: Be  brief.\n"
    chat("q")
    assert chat.server.bodies[0]["messages"][0] == {"role": "system", "content": "Be  brief."}
    assert chat("/unset system") == "no system prompt\n"
    chat("/regen")
    assert chat.server.bodies[1]["messages"] == [{"role": "user", "content": "q"}]


# Questions and answers.


def test_an_answer_is_shown_and_remembered() -> None:
    chat = Chat(said("a"), said("b", "stop"))
    assert chat("one") == "ab\n"
    chat("two")
    assert chat.server.bodies[1]["messages"] == [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "ab"},
        {"role": "user", "content": "two"},
    ]


def test_an_answer_at_the_limit_is_told() -> None:
    assert Chat(said("a", "length"))("q") == "a\ncut at the limit of tokens; /set n_predict raises it\n"


def test_a_stopped_answer_stays() -> None:
    chat = Chat(said("a"), KeyboardInterrupt())
    assert chat("q") == "a\nstopped; /regen answers again\n"
    assert chat.contents == ["q", "a"]


@pytest.mark.parametrize(
    ("failure", "shown"),
    [
        (ServerError("it died", status=503), "error: it died; /regen sends the question again\n"),
        (
            ServerError("full", status=429, retry_after_s=3),
            "error: full; try again in 3 s; /regen sends the question again\n",
        ),
        (
            ServerError("the server wants an API key", status=401),
            "error: the server wants an API key; /key takes one, then /regen sends the question again\n",
        ),
    ],
)
def test_a_question_that_failed_can_be_sent_again(failure: ServerError, shown: str) -> None:
    chat = Chat(failure)
    assert chat("q") == shown
    assert chat.contents == ["q"]
    assert chat("/regen") == shown
    assert [body["messages"] for body in chat.server.bodies] == [[{"role": "user", "content": "q"}]] * 2


def test_an_answer_that_broke_off_stays_until_the_next() -> None:
    chat = Chat(said("half"), ServerError("it died"))
    chat("q")
    assert chat.contents == ["q", "half"]
    assert chat.session.conversation.messages[1].finish is Finish.ERROR


def test_the_old_answer_stays_if_no_new_one_comes() -> None:
    chat = Chat(said("old", "stop"))
    chat("q")
    chat.session.server = ScriptedServer(ServerError("it died"))
    chat("/retry")
    assert chat.contents == ["q", "old"]
    chat.session.server = ScriptedServer(said("new", "stop"))
    assert chat("/regen") == "new\n"
    assert chat.contents == ["q", "new"]


def test_turns_are_taken_back() -> None:
    chat = Chat(said("a", "stop"))
    chat("one")
    chat("two")
    assert chat("/undo") == "taken back: two\n"
    assert chat.contents == ["one", "a"]
    assert chat("/edit") == ""
    assert (chat.session.prefilled, chat.contents) == ("one", [])


def test_a_new_conversation_keeps_system_prompt_and_options() -> None:
    chat = Chat(said("a", "stop"))
    for line in ("/system s", "/set top_k 1", "q"):
        chat(line)
    assert chat("/clear") == "a new conversation; system prompt and options stay\n"
    assert chat.contents == []
    assert chat.session.conversation.system_prompt == "s"
    assert chat.session.settings["top_k"] == 1
    assert chat("/stats") == "no answer yet\n"


# Thinking and tools.


def test_thinking_is_shown_and_sent_back() -> None:
    chat = Chat(thought("hm"), said("a", "stop"))
    assert chat("one") == "thinking\nhm\nthought for 0.0 s\na\n"
    chat("two")
    assert chat.server.bodies[1]["messages"][1] == {"role": "assistant", "content": "a", "reasoning_content": "hm"}


def test_where_thinking_goes_is_a_setting_like_others() -> None:
    chat = Chat(said("a", "stop"))
    assert chat("/set reasoning_format").endswith(" Now auto.\n")
    chat("q")
    chat("/unset reasoning_format")
    chat("q")
    assert [body.get("reasoning_format") for body in chat.server.bodies] == ["auto", None]


def test_results_of_calls_are_typed_and_the_answer_goes_on() -> None:
    calls = [called(id="c1", name="f", arguments="{}"), called(1, '{"a": 1}', id="c2", name="g")]
    chat = Chat(*calls, said(None, "tool_calls"))
    back = "/undo takes the question back"
    assert chat("q") == f'calls f {{}}\ncalls g {{"a": 1}}\n1 of 2: type what f {{}} gives; {back}\n'
    assert chat("sunny") == f'2 of 2: type what g {{"a": 1}} gives; {back}\n'
    assert len(chat.server.bodies) == 1
    chat.session.server = chat.server = ScriptedServer(said("Nice.", "stop"))
    assert chat("20 degrees") == "Nice.\n"
    results = [one["content"] for one in chat.server.bodies[0]["messages"] if one["role"] == "tool"]
    assert results == ["sunny", "20 degrees"]
    assert chat.contents == ["q", "", "Nice."]
    assert chat("/regen") == "Nice.\n"
    assert len(chat.server.bodies[1]["messages"]) == 4
    assert chat("/undo") == "taken back: q\n"


def test_the_only_call_needs_no_name() -> None:
    chat = Chat(called(id="c1", name="f", arguments="{}"), said(None, "tool_calls"))
    assert chat("q") == "calls f {}\ntype what it gives; /undo takes the question back\n"


def test_a_result_is_kept_if_the_server_fails() -> None:
    chat = Chat(called(id="c1", name="f", arguments="{}"), said(None, "tool_calls"))
    chat("q")
    chat.session.server = ScriptedServer(ServerError("it died", status=503))
    assert chat("sunny") == "error: it died; /regen sends the question again\n"
    chat.session.server = ScriptedServer(said("Nice.", "stop"))
    assert chat("/regen") == "Nice.\n"


def test_schema_and_tools_are_options_like_others(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text('{"type": "object"}')
    chat = Chat(said("{}", "stop"))
    assert chat(f"/set json_schema @{tmp_path}/s.json") == 'json_schema = {"type": "object"}\n'
    assert chat("/set json_schema").startswith("json_schema: JSON Schema that answers obey. ")
    chat("q")
    assert chat.server.bodies[0]["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert chat("/unset json_schema") == "json_schema is as the server has it\n"
    chat("q")
    assert "response_format" not in chat.server.bodies[1]


def test_a_conversation_with_calls_goes_to_a_file_and_back(tmp_path: Path) -> None:
    chat = Chat(thought("hm"), called(id="c1", name="f", arguments="{}"), said(None, "tool_calls"))
    chat("q")
    chat(f"/save {tmp_path}/c.json")
    chat("/clear")
    assert chat(f"/load {tmp_path}/c.json") == "q, 2 messages\nyou: q\ncalls f {}\n"
    assert chat.session.conversation.open_call is not None
    chat("sunny")
    assert chat.server.bodies[1]["messages"][1]["reasoning_content"] == "hm"
    chat(f"/save {tmp_path}/c.json")
    assert "\nf: sunny\n" in chat(f"/load {tmp_path}/c.json")


# Files.


def test_a_conversation_goes_to_a_file_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    chat = Chat(said("a", "stop"))
    chat("/system s")
    chat("q")
    assert chat("/save ~/my chat.json") == f"saved 2 messages to {tmp_path}/my chat.json\n"
    chat("again")
    assert chat("/save") == f"saved 4 messages to {tmp_path}/my chat.json\n"
    chat("/clear")
    assert chat("/save") == "error: /save needs the name of a file\n"
    assert chat("/save ~/my chat.json").endswith("exists and holds something else; choose another name\n")
    assert chat("/load ~/my chat.json") == "q, 4 messages\nyou: again\na\n"
    assert chat.contents == ["q", "a", "again", "a"]
    assert chat.session.conversation.system_prompt == "s"
    chat("/undo")
    assert chat("/save").startswith("saved 2 messages to ")


CAT = "data:image/png;base64,iVBORw0KGgpjYXQ="


def cat_file(folder: Path, name: str = "cat.png") -> Path:
    """A file that begins as a picture does."""
    path = folder / name
    path.write_bytes(b"\x89PNG\r\n\x1a\ncat")
    return path


def sent(chat: Chat, number: int = -1) -> object:
    """The content of the last message of a request."""
    return chat.server.bodies[number]["messages"][-1]["content"]


def test_pictures_go_along_with_the_next_question_only(tmp_path: Path) -> None:
    chat = Chat(said("A cat.", "stop"))
    shown = chat(f"/image {cat_file(tmp_path)}")
    assert shown == "goes along with the next question: cat.png; /unset images takes that back\n"
    assert "question: cat.png, the dog.gif;" in chat(f"/image '{cat_file(tmp_path, 'the dog.gif')}'")
    chat("What are these?")
    pictures = [{"type": "image_url", "image_url": {"url": CAT}}] * 2
    assert sent(chat) == [*pictures, {"type": "text", "text": "What are these?"}]
    chat("Sure?")
    assert sent(chat) == "Sure?"
    assert chat.server.bodies[-1]["messages"][0]["content"][:2] == pictures


def test_pictures_can_be_taken_back_before_they_are_sent(tmp_path: Path) -> None:
    chat = Chat(said("Hm.", "stop"))
    chat(f"/image {cat_file(tmp_path)}")
    assert chat("/unset images") == "no pictures go along with the next question\n"
    chat("Hi")
    assert sent(chat) == "Hi"


def test_a_question_that_is_changed_keeps_its_pictures(tmp_path: Path) -> None:
    chat = Chat(said("A cat.", "stop"))
    chat(f"/image {cat_file(tmp_path)}")
    chat("What is this?")
    assert chat("/edit") == ""
    assert chat.session.prefilled == "What is this?"
    assert "question: picture 1;" in chat("/image")
    chat("What is that?")
    assert sent(chat) == [
        {"type": "image_url", "image_url": {"url": CAT}},
        {"type": "text", "text": "What is that?"},
    ]
    assert chat("/undo") == "taken back: [1 picture] What is that?\n"


def test_what_is_no_picture_is_refused_by_its_name(tmp_path: Path) -> None:
    chat = Chat()
    assert chat("/image") == "error: /image needs the name of a file\n"
    (tmp_path / "notes.png").write_text("my notes")
    assert chat(f"/image {tmp_path}/notes.png") == (
        f"error: /image {tmp_path}/notes.png: is no picture; allowed are files of PNG, JPEG, WebP, GIF and BMP\n"
    )
    assert chat.session.pictures == []


def test_pictures_are_saved_and_loaded_with_their_conversation(tmp_path: Path) -> None:
    chat = Chat(said("A cat.", "stop"))
    chat(f"/image {cat_file(tmp_path)}")
    chat("What is this?")
    chat(f"/save {tmp_path}/c.json")
    document = json.loads((tmp_path / "c.json").read_text())
    assert document["conversations"][0]["messages"][0]["images"] == [CAT]
    other = Chat(said("Yes.", "stop"))
    assert other(f"/load {tmp_path}/c.json") == ("What is this?, 2 messages\nyou: [1 picture] What is this?\nA cat.\n")
    other("Sure?")
    assert other.server.bodies[0]["messages"][0]["content"][0] == {"type": "image_url", "image_url": {"url": CAT}}


def test_a_new_conversation_has_no_pictures(tmp_path: Path) -> None:
    chat = Chat(said("Hm.", "stop"))
    chat(f"/image {cat_file(tmp_path)}")
    chat("/clear")
    chat("Hi")
    assert sent(chat) == "Hi"


# The rest.


def test_figures() -> None:
    chat = Chat()
    assert chat("/stats") == "no answer yet\n"
    figures = Statistics(
        n_tokens=8,
        n_prompt_tokens=37,
        n_cached_tokens=30,
        tokens_per_second=20.54,
        first_token_ms=268.0,
        total_ms=732.0,
    )
    chat.session.last = figures
    chat.session.conversation.add(Message(Role.ASSISTANT, "a", statistics=figures))
    assert chat("/stats") == (
        "last answer: 8 tokens, 20.5 tokens/s, first token after 0.27 s, 0.73 s in all, 37 prompt tokens (30 cached)\n"
        "conversation: 1 message, 8 tokens in answers\n"
    )
    chat.session.last = Statistics(0, None, None, None, None, 732.0)
    assert chat("/stats").startswith("last answer: 0 tokens, 0.73 s in all\n")


def test_a_key_is_asked_for_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Chat()
    monkeypatch.setattr("getpass.getpass", lambda prompt: "a-secret-key")
    assert chat("/key") == "API key ****-key\n"
    assert chat.server.key == "a-secret-key"
    monkeypatch.setattr("getpass.getpass", lambda prompt: "ä")
    assert chat("/key").startswith("error: /key is empty or holds what a client could not send; ")
    assert chat.server.key == "a-secret-key"


def test_the_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Chat()
    monkeypatch.setattr(chat.server, "model", lambda: "m.gguf")
    monkeypatch.setattr(chat.server, "context_tokens", lambda: 2048)
    assert chat("/model") == "m.gguf at http://nowhere\n2048 tokens of context\n"

    def refuse() -> int:
        raise ServerError("the server wants an API key", status=401)

    monkeypatch.setattr(chat.server, "context_tokens", refuse)
    assert chat("/model") == "m.gguf at http://nowhere\ncontext unknown: the server wants an API key\n"
    monkeypatch.setattr(chat.server, "model", refuse)
    assert chat("/model") == "error: the server wants an API key\n"


def test_the_help_lists_every_command_and_fits_a_terminal() -> None:
    shown = Chat()("/help")
    for command in COMMANDS:
        assert f"\n  {command.names[0]} " in f"\n{shown}"
        assert command.help in shown
    assert max(map(len, shown.splitlines())) <= 100


@pytest.mark.parametrize("line", ["/quit", "/exit", "/QUIT"])
def test_leaving(line: str) -> None:
    chat = Chat()
    assert chat(line) == ""
    assert chat.session.is_over


def test_commands_and_options_are_completed() -> None:
    words = completions()
    assert {command.names[0] for command in COMMANDS} <= set(words)
    assert {f"/set {name}" for name in SETTINGS} <= set(words)


# The context.


@pytest.mark.parametrize(
    ("n_tokens", "told"),
    [
        (39, ""),
        (40, "context 50 % full: 100 of 200 tokens\n"),
        (99, "context 79 % full: 159 of 200 tokens\n"),
        (
            100,
            "context 80 % full: 160 of 200 tokens; /drop takes the oldest turn away, /clear begins anew\n",
        ),
    ],
)
def test_a_context_that_fills_is_told(n_tokens: int, told: str) -> None:
    chat = Chat(said("a", "stop"), usage(60, n_tokens))
    chat.server.n_ctx = 200
    assert chat("q") == f"a\n{told}"


def test_figures_tell_how_full_the_context_is() -> None:
    chat = Chat(said("a", "stop"), usage(6, 4))
    chat.server.n_ctx = 200
    chat("q")
    assert "\ncontext 5 % full: 10 of 200 tokens\n" in chat("/stats")


def test_without_a_known_context_nothing_is_said_of_it() -> None:
    chat = Chat(said("a", "stop"), usage(600, 4))
    assert chat("q") == "a\n"
    assert "context" not in chat("/stats")


@pytest.mark.parametrize("n_tokens", [140, 139])
def test_an_answer_that_is_cut_by_the_context_is_not_advised_to_be_longer(n_tokens: int) -> None:
    chat = Chat(said("a", "length"), usage(60, n_tokens))
    chat.server.n_ctx = 200
    assert chat("q") == (
        "a\ncut at the end of the context, 200 tokens; /drop takes the oldest turn away, /clear begins anew\n"
    )


def test_what_was_left_out_is_told() -> None:
    chat = Chat(said("a", "stop"), usage(60, 4, truncated_tokens=33))
    told = "the conversation did not fit into the context: its oldest 33 tokens were left out\n"
    assert chat("q") == f"a\n{told}"
    assert told in chat("/stats")


def test_a_conversation_that_does_not_fit_is_told_with_what_can_be_done() -> None:
    chat = Chat(ServerError("the prompt has 600 tokens; allowed are 512", status=400, is_too_long=True))
    assert chat("one") == (
        "error: the prompt has 600 tokens; allowed are 512; /drop takes the oldest turn away, /clear begins anew, "
        "/set truncate true leaves out what does not fit; then /regen sends the question again\n"
    )
    chat("/set truncate true")
    chat("/regen")
    assert [body.get("truncate") for body in chat.server.bodies] == [None, True]


def test_the_oldest_turns_are_dropped() -> None:
    chat = Chat(said("a", "stop"))
    for question in ("one", "two", "three", "four"):
        chat(question)
    assert chat("/drop") == "dropped: one\n"
    assert chat("/drop 2") == "dropped: two\ndropped: three\n"
    assert chat.contents == ["four", "a"]
    assert chat("/drop") == "error: /drop: there is only one turn left; /undo takes it back, /clear begins anew\n"
    assert chat.contents == ["four", "a"]
    assert "is not a whole number" in chat("/drop none")
