"""``slotline chat``: a chat at a terminal, or one answer."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from slotline.cli.chat.commands import completions, file_commands, obey, show_conversation
from slotline.cli.chat.conversation import Conversation
from slotline.cli.chat.lines import Lines
from slotline.cli.chat.question import answer, message_of
from slotline.cli.chat.screen import Screen, has_colors, printable
from slotline.cli.chat.server import ChatServer, ServerError
from slotline.cli.chat.session import ChatSession
from slotline.cli.chat.transfer import now_ms
from slotline.cli.start_errors import StartError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slotline.cli.options.table import Parsed


#: Settings of answers that options of their own take from files.
_FILES = {"json_schema": "chat_schema", "tools": "chat_tools"}


def run(parsed: Parsed) -> int:
    """Chat if there is a terminal and no message, else print one answer; returns the exit status."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        _forgive(stream)
    for warning in parsed.warnings:
        print(f"note: {warning}", file=sys.stderr)
    settings = parsed.settings
    server = ChatServer(parsed.value("chat_url"), next(iter(settings.get("chat_key", ())), None))
    file, conversation = settings.get("chat_loaded") or ("", Conversation(now_ms))
    conversation.system_prompt = settings.get("chat_system", conversation.system_prompt)
    sampling = {name: settings[key] for name, key in _FILES.items() if key in settings}
    sampling |= dict(settings.get("chat_settings", ()))
    message, pictures = settings.get("chat_message", ()), settings.get("chat_images", ())
    if message or not _has_terminal():
        text = message_of(message, may_be_empty=bool(pictures))
        return answer(server, conversation, sampling, text, pictures)
    session = ChatSession(server, _screen(settings), conversation, sampling, file)
    session.pictures = list(pictures)
    _greet(session)
    _chat(session)
    return 0


def _has_terminal() -> bool:
    # A program can be started without any of them.
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _screen(settings: Mapping[str, Any]) -> Screen:
    is_off = settings.get("chat_no_color", False)
    return Screen(sys.stdout, is_colored=has_colors(sys.stdout, os.environ, is_off=is_off))


def _greet(session: ChatSession) -> None:
    """Show which server and model answer.

    Raises:
        StartError: no server does.
    """
    try:
        session.screen.note(f"{session.server.model()} at {session.server.url}")
    except ServerError as error:
        # Without a status there is no server. One that is still loading, or wants a key, may answer later.
        if not error.status:
            raise StartError(str(error)) from None
        session.screen.note(str(error))
    session.screen.note("/help lists the commands, Ctrl-D leaves")
    if session.conversation.messages:
        show_conversation(session)


def _chat(session: ChatSession) -> None:
    """Take lines until the user leaves."""
    lines = Lines(session.screen, completions(), file_commands=file_commands())
    while not session.is_over:
        prefilled, session.prefilled = session.prefilled, ""
        try:
            text = lines.read(prefilled, _prompt(session))
        except (EOFError, KeyboardInterrupt):
            session.screen.end_line()
            return
        try:
            _take(session, text)
        except KeyboardInterrupt:
            # Ends what was running, not the chat.
            session.screen.end_line()


def _prompt(session: ChatSession) -> str:
    """What stands before the next line: the tool whose result it is, or the pictures that go along with it."""
    call = session.conversation.open_call
    if call:
        return f"{printable(call.name)}> "
    names = ", ".join(picture.name for picture in session.pictures)
    return f"[{names}] > " if names else "> "


def _take(session: ChatSession, text: str) -> None:
    """Run a command, send a message or give a result; a text that begins with a slash is typed with two."""
    # Text that was copied often ends in a line end.
    text = text.strip("\n").rstrip()
    if text.startswith("/") and not text.startswith("//"):
        obey(session, text)
    elif text:
        send = session.give_result if session.conversation.open_call else session.say
        send(text[1:] if text.startswith("//") else text)


def _forgive(stream: TextIO | None) -> None:
    """Let a stream replace characters that its encoding lacks."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
