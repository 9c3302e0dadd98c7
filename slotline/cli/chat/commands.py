"""The commands of a chat, which begin with a slash: their table, and what each does."""

from __future__ import annotations

import getpass
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slotline.cli.chat.context import fullness, left_out
from slotline.cli.chat.conversation import Conversation, Message, Role, Statistics
from slotline.cli.chat.pictures import Picture, count_of, picture_file
from slotline.cli.chat.sampling import SETTINGS, convert, option_named
from slotline.cli.chat.server import ServerError
from slotline.cli.chat.transfer import conversation_file, now_ms, write_conversation
from slotline.cli.options.api_keys import api_key, masked
from slotline.cli.options.suggestions import nearest
from slotline.cli.options.values import InvalidValue, integer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from slotline.cli.chat.session import ChatSession

_SYSTEM, _IMAGES = "system", "images"
_SHOWN_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        names: as typed; the first one is shown.
        arguments: as the help shows them.
        help: what it does.
        run: takes the session and what was typed behind the name.
    """

    names: tuple[str, ...]
    arguments: str
    help: str
    run: Callable[[ChatSession, str], None]


def obey(session: ChatSession, line: str) -> None:
    """Run the command in a line that begins with a slash; mistakes are shown on the screen."""
    name, _, argument = line.partition(" ")
    command = _BY_NAME.get(name.lower())
    if command is None:
        near = nearest(name.lower(), _BY_NAME)
        hint = f"did you mean {near}?" if near else "/help lists them"
        # A text that begins with a path is no command.
        session.screen.error(f"{name[:40]} is no command; {hint} (// begins a text with a slash)")
        return
    try:
        command.run(session, argument.strip())
    except InvalidValue as problem:
        session.screen.error(str(problem))


def completions() -> tuple[str, ...]:
    """What Tab completes."""
    options = [f"{command} {name}" for command in ("/set", "/unset") for name in SETTINGS]
    others = (f"/unset {name}" for name in (_SYSTEM, _IMAGES))
    return (*(command.names[0] for command in COMMANDS), *options, *others)


def file_commands() -> tuple[str, ...]:
    """Those that take the name of a file."""
    return tuple(name for command in COMMANDS if command.arguments == "FILE" for name in command.names)


def _help(session: ChatSession, argument: str) -> None:
    for command in COMMANDS:
        session.screen.note(f"  {f'{command.names[0]} {command.arguments}':<20} {command.help}")
    session.screen.note(
        'A line that ends with \\ goes on in the next; """ begins and ends a text of several lines.\n'
        "Ctrl-C stops an answer and, at the prompt, leaves; so does Ctrl-D."
    )


def _set(session: ChatSession, argument: str) -> None:
    if not argument:
        _list_settings(session)
        return
    # The name ends at the first blank or equals sign.
    name, *rest = re.split(r"[\s=]+", argument, maxsplit=1)
    value = "".join(rest)
    if not value:
        option = option_named(name)
        now = _written(session.settings[name]) if name in session.settings else "the server's default"
        session.screen.note(f"{name}: {option.help} Now {now}.")
    else:
        session.settings[name] = convert(name, value)
        session.screen.note(f"{name} = {_written(session.settings[name])}")


def _list_settings(session: ChatSession) -> None:
    for name, value in session.settings.items():
        session.screen.note(f"{name} = {_written(value)}")
    others = [name for name in SETTINGS if name not in session.settings]
    session.screen.note(f"as the server has it: {', '.join(others)}")


def _unset(session: ChatSession, argument: str) -> None:
    if argument == _SYSTEM:
        session.conversation.system_prompt = ""
        session.screen.note("no system prompt")
        return
    if argument == _IMAGES:
        session.pictures = []
        session.screen.note("no pictures go along with the next question")
        return
    if not argument:
        raise InvalidValue(f"/unset needs a name; set are {', '.join(session.settings) or 'none'}")
    option_named(argument)
    session.settings.pop(argument, None)
    session.screen.note(f"{argument} is as the server has it")


def _system_prompt(session: ChatSession, argument: str) -> None:
    if argument:
        session.conversation.system_prompt = argument
    session.screen.note(f"system prompt: {session.conversation.system_prompt or 'none'}")


def _regenerate(session: ChatSession, argument: str) -> None:
    session.regenerate()


def _undo(session: ChatSession, argument: str) -> None:
    if (question := session.conversation.undo()) is None:
        raise InvalidValue("/undo: there is no question to take back")
    session.screen.note(f"taken back: {_told(question)}")


def _edit(session: ChatSession, argument: str) -> None:
    if (question := session.conversation.undo()) is None:
        raise InvalidValue("/edit: there is no question to change")
    session.prefilled = question.content
    session.pictures = [Picture(f"picture {i + 1}", address) for i, address in enumerate(question.images)]


def _image(session: ChatSession, argument: str) -> None:
    if argument:
        session.pictures.append(picture_file("/image", argument))
    names = ", ".join(picture.name for picture in session.pictures)
    if not names:
        raise InvalidValue("/image needs the name of a file")
    session.screen.note(f"goes along with the next question: {names}; /unset images takes that back")


def _drop(session: ChatSession, argument: str) -> None:
    count = integer(1)("/drop", argument) if argument else 1
    for _ in range(count):
        if (question := session.conversation.drop_oldest()) is None:
            raise InvalidValue("/drop: there is only one turn left; /undo takes it back, /clear begins anew")
        session.screen.note(f"dropped: {_told(question)}")


def _clear(session: ChatSession, argument: str) -> None:
    session.take_up(Conversation(now_ms, session.conversation.system_prompt))
    session.screen.note("a new conversation; system prompt and options stay")


def _save(session: ChatSession, argument: str) -> None:
    path = os.path.expanduser(argument) or session.file
    if not path:
        raise InvalidValue("/save needs the name of a file")
    write_conversation("/save", path, session.conversation)
    session.file = path
    session.screen.note(f"saved {_size(session.conversation)} to {path}")


def _load(session: ChatSession, argument: str) -> None:
    if not argument:
        raise InvalidValue("/load needs the name of a file")
    path = os.path.expanduser(argument)
    session.take_up(conversation_file("/load", path), path)
    show_conversation(session)


def show_conversation(session: ChatSession) -> None:
    """Show the conversation as it was loaded: what it is, and its last turn."""
    conversation = session.conversation
    session.screen.note(f"{conversation.shown_title}, {_size(conversation)}")
    for message in conversation.messages[-2:]:
        who = "you: " if message.role is Role.USER else ""
        if message.content or not message.calls:
            session.screen.note(f"{who}{_told(message)}")
        for call in message.calls:
            session.screen.note(_beginning(f"calls {call.name} {call.arguments}"))
            if call.result is not None:
                session.screen.note(_beginning(f"{call.name}: {call.result}"))


def _statistics(session: ChatSession, argument: str) -> None:
    if session.last is None:
        session.screen.note("no answer yet")
        return
    session.screen.note("last answer: " + ", ".join(_figures(session.last)))
    for note in (left_out(session.last), fullness(session.last, session.context_tokens())):
        if note:
            session.screen.note(note)
    all_figures = [message.statistics for message in session.conversation.messages if message.statistics]
    n_tokens = sum(figures.n_tokens for figures in all_figures)
    session.screen.note(f"conversation: {_size(session.conversation)}, {n_tokens} tokens in answers")


def _figures(one: Statistics) -> Iterator[str]:
    yield f"{one.n_tokens} tokens"
    if one.tokens_per_second is not None:
        yield f"{one.tokens_per_second:.1f} tokens/s"
    if one.first_token_ms is not None:
        yield f"first token after {one.first_token_ms / 1000:.2f} s"
    yield f"{one.total_ms / 1000:.2f} s in all"
    if one.n_prompt_tokens is not None:
        cached = "" if one.n_cached_tokens is None else f" ({one.n_cached_tokens} cached)"
        yield f"{one.n_prompt_tokens} prompt tokens{cached}"


def _model(session: ChatSession, argument: str) -> None:
    try:
        model = session.server.model()
    except ServerError as error:
        raise InvalidValue(str(error)) from None
    session.screen.note(f"{model} at {session.server.url}")
    try:
        if (n_ctx := session.server.context_tokens()) is not None:
            session.screen.note(f"{n_ctx} tokens of context")
    except ServerError as error:
        # Not every server says so, and some want a key for it.
        session.screen.note(f"context unknown: {error}")


def _key(session: ChatSession, argument: str) -> None:
    # Read without echo, and not part of the history of lines.
    try:
        key = getpass.getpass("API key: ")
    except EOFError:
        raise InvalidValue("/key: no key was given") from None
    session.server.key = api_key("/key", key)[0]
    session.screen.note(f"API key {masked([session.server.key])}")


def _quit(session: ChatSession, argument: str) -> None:
    session.is_over = True


def _size(conversation: Conversation) -> str:
    n_messages = len(conversation.messages)
    return f"{n_messages} message{'s' if n_messages != 1 else ''}"


def _told(message: Message) -> str:
    """The beginning of a message, and how many pictures it has."""
    pictures = f"[{count_of(message.images)}]" if message.images else ""
    return " ".join(part for part in (pictures, _beginning(message.content)) if part)


def _written(value: object) -> str:
    """A value as it could be typed; long ones are cut."""
    return _beginning(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _beginning(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


COMMANDS = (
    Command(("/help", "/?"), "", "show this", _help),
    Command(("/set",), "NAME VALUE", "set an option of the answers; alone it shows what is set", _set),
    Command(("/unset",), "NAME", "leave an option to the server; /unset system and /unset images work too", _unset),
    Command(("/system",), "TEXT", "set the system prompt; alone it shows it", _system_prompt),
    Command(("/regen", "/retry"), "", "answer the last question again", _regenerate),
    Command(("/undo",), "", "take the last question and its answer back", _undo),
    Command(("/edit",), "", "take the last question back to change it", _edit),
    Command(("/image",), "FILE", "send a picture with the next question; may repeat", _image),
    Command(("/drop",), "N", "take the oldest turn away, or the oldest N, to make room in the context", _drop),
    Command(("/clear", "/new"), "", "begin a new conversation", _clear),
    Command(("/save",), "FILE", "write the conversation, which the web page imports", _save),
    Command(("/load",), "FILE", "go on with a conversation that was saved, or exported by the web page", _load),
    Command(("/stats",), "", "figures of the last answer", _statistics),
    Command(("/model",), "", "name of the model, and of the server", _model),
    Command(("/key",), "", "ask for an API key", _key),
    Command(("/quit", "/exit"), "", "leave", _quit),
)
_BY_NAME = {name: command for command in COMMANDS for name in command.names}
