"""One question and its answer, for scripts: the answer on stdout, everything else on stderr."""

from __future__ import annotations

import itertools
import json
import os
import sys
from typing import TYPE_CHECKING

from slotline.cli.chat.answer import DEFAULT_SETTINGS, ask
from slotline.cli.chat.context import left_out
from slotline.cli.chat.conversation import Conversation, Finish, Message, Role, ToolCall
from slotline.cli.chat.pictures import by_name
from slotline.cli.chat.screen import printable
from slotline.cli.chat.server import HTTP_UNAUTHORIZED, ChatServer, ServerError
from slotline.cli.options.files import reason_of
from slotline.cli.start_errors import StartError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slotline.cli.chat.pictures import Picture

#: What shells report for a process that SIGINT or SIGPIPE ended.
INTERRUPTED, BROKEN_PIPE = 130, 141
_STDIN = "-"


def message_of(arguments: Sequence[str], *, may_be_empty: bool = False) -> str:
    """The message that arguments make: joined by blanks, and for ``-`` the text on stdin, between empty lines.

    Args:
        arguments: as they were typed; none are the same as ``-``.
        may_be_empty: whether something else is sent as well.

    Raises:
        StartError: it is empty.
    """
    parts = [
        _stdin() if is_stdin else " ".join(group)
        for is_stdin, group in itertools.groupby(arguments or (_STDIN,), lambda argument: argument == _STDIN)
    ]
    text = "\n\n".join(part for part in parts if part)
    if not text.strip() and not may_be_empty:
        raise StartError("the message is empty; give one as an argument or on stdin")
    # Arguments that are not UTF-8 hold halves of surrogate pairs.
    return text.encode(errors="replace").decode()


def answer(
    server: ChatServer,
    conversation: Conversation,
    settings: Mapping[str, object],
    text: str,
    pictures: Sequence[Picture] = (),
) -> int:
    """Print the answer to one message; returns the exit status.

    Raises:
        StartError: the server refused or failed; what had come of the answer is printed.
    """
    conversation.add(Message(Role.USER, text, images=tuple(picture.address for picture in pictures)))
    output = _Output()
    try:
        result = ask(server, conversation, {**DEFAULT_SETTINGS, **settings}, output)
        output.calls(result.message.calls)
        output.end()
    except OSError as error:
        # Python would try to write the rest at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            # The reader has closed its end.
            return BROKEN_PIPE
        raise StartError(f"stdout cannot be written: {reason_of(error)}") from None
    if result.failure is not None:
        names = {picture.address: picture.name for picture in pictures}
        raise StartError(by_name(_explained(result.failure), conversation.for_request(), names))
    if result.message.finish is Finish.STOPPED:
        return INTERRUPTED
    if result.message.statistics and (left := left_out(result.message.statistics)):
        print(f"note: {left}", file=sys.stderr)
    if result.message.finish is Finish.LENGTH:
        print("note: the answer was cut at the limit of tokens; --set n_predict=N raises it", file=sys.stderr)
    return 0


class _Output:
    """Writes an answer to stdout and ends its last line. What the model thinks is left out."""

    def __init__(self) -> None:
        # Programs get the text as it is. On a terminal it must not act as commands.
        self._is_terminal = sys.stdout.isatty()
        self._is_in_line = False

    def write(self, piece: str) -> None:
        sys.stdout.write(printable(piece) if self._is_terminal else piece)
        sys.stdout.flush()
        self._is_in_line = not piece.endswith("\n")

    def text(self, piece: str) -> None:
        self.write(piece)

    def thought(self, piece: str) -> None:
        pass

    def end_thought(self, total_ms: float) -> None:
        pass

    def call(self, name: str) -> None:
        pass

    def arguments(self, piece: str) -> None:
        pass

    def calls(self, calls: Sequence[ToolCall]) -> None:
        """Write whole calls, each as a line of JSON."""
        for call in calls:
            self.end()
            self.write(f"{json.dumps({'id': call.id, 'name': call.name, 'arguments': json.loads(call.arguments)})}\n")

    def end(self) -> None:
        if self._is_in_line:
            self.write("\n")


def _explained(failure: ServerError) -> str:
    if failure.status == HTTP_UNAUTHORIZED:
        return f"{failure}; give it with --api-key, --api-key-file or SLOTLINE_API_KEY"
    if failure.is_too_long:
        return f"{failure}; --set truncate=true leaves out the oldest part"
    wait = f"; try again in {failure.retry_after_s} s" if failure.retry_after_s is not None else ""
    return f"{failure}{wait}"


def _stdin() -> str:
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        print("note: type the message, then Ctrl-D in a new line", file=sys.stderr)
    return sys.stdin.buffer.read().decode(errors="replace").strip()
