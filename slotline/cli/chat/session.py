"""A chat at a terminal: questions, answers, and what the commands change."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from slotline.cli.chat import context
from slotline.cli.chat.answer import DEFAULT_SETTINGS, ask
from slotline.cli.chat.conversation import Conversation, Finish, Message, Role, Statistics
from slotline.cli.chat.pictures import by_name
from slotline.cli.chat.server import HTTP_UNAUTHORIZED, ChatServer, ServerError
from slotline.protocol.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slotline.cli.chat.pictures import Picture
    from slotline.cli.chat.screen import Screen

_SHOWN_CHARACTERS = 100


class ChatSession:
    """What a chat consists of.

    Args:
        server: who answers.
        screen: where answers and notes go.
        conversation: it is continued.
        settings: options of the generation beside ``DEFAULT_SETTINGS``.
        file: where the conversation was saved or loaded last, "" for nowhere.

    Attributes:
        prefilled: what the next line begins with.
        pictures: what goes along with the next question.
        is_over: whether the user wants to leave.
        last: figures of the last answer.
    """

    def __init__(
        self,
        server: ChatServer,
        screen: Screen,
        conversation: Conversation,
        settings: Mapping[str, object],
        file: str = "",
    ) -> None:
        self.server = server
        self.screen = screen
        self.conversation = conversation
        self.settings: dict[str, object] = {**DEFAULT_SETTINGS, **settings}
        self.file = file
        self.prefilled = ""
        self.pictures: list[Picture] = []
        self.is_over = False
        self.last: Statistics | None = None
        self._n_ctx: int | None = None
        self._names: dict[str, str] = {}

    def take_up(self, conversation: Conversation, file: str = "") -> None:
        """Go on with another conversation; options stay.

        Args:
            conversation: it is continued.
            file: where it was loaded, "" for nowhere.
        """
        self.conversation = conversation
        self.file = file
        self.pictures = []
        self.last = None

    def say(self, text: str) -> None:
        """Send a question, with the pictures that wait for it, and show the answer."""
        images = tuple(picture.address for picture in self.pictures)
        self._names |= {picture.address: picture.name for picture in self.pictures}
        self.pictures = []
        self.conversation.add(Message(Role.USER, text, images=images))
        self._answer(None)

    def give_result(self, text: str) -> None:
        """Say what the open call gave; with the last one the answer goes on."""
        self.conversation.add_result(text)
        if self.conversation.wants_answer:
            self._answer(None)
        else:
            self._ask_for_result()

    def regenerate(self) -> None:
        """Answer the last question again, or for the first time. The old answer stays if no new one comes."""
        dropped = self.conversation.drop_answer()
        if not self.conversation.wants_answer:
            self.screen.error("there is no question to answer again")
            return
        self._answer(dropped)

    def context_tokens(self) -> int | None:
        """Tokens that a conversation may have, None while that is unknown; the server is asked until it says."""
        if self._n_ctx is None:
            # Not every server says so, and some want a key for it.
            with suppress(ServerError):
                self._n_ctx = self.server.context_tokens()
        return self._n_ctx

    def _answer(self, otherwise: Message | None) -> None:
        """Ask for an answer and keep what comes; ``otherwise`` if nothing does."""
        answer = ask(self.server, self.conversation, self.settings, self.screen)
        message = answer.message
        self.screen.end_text()
        self.last = message.statistics
        if message.content or message.reasoning or message.calls or message.finish is Finish.STOP:
            self.conversation.add(message)
        elif otherwise is not None:
            self.conversation.add(otherwise)
        if answer.failure is not None:
            problem = by_name(str(answer.failure), self.conversation.for_request(), self._names)
            self.screen.error(f"{problem}{_advice(answer.failure)}")
        elif message.finish is Finish.STOPPED:
            self.screen.note("stopped; /regen answers again")
        else:
            self._tell_limits(message.finish is Finish.LENGTH, message.statistics)
        self._ask_for_result()

    def _ask_for_result(self) -> None:
        """Say whose result is to be typed, if one is."""
        call = self.conversation.open_call
        if call is None:
            return
        calls = self.conversation.messages[-1].calls
        if len(calls) == 1:
            self.screen.note("type what it gives; /undo takes the question back")
            return
        number = sum(one.result is not None for one in calls) + 1
        made = excerpt(f"{call.name} {call.arguments}", _SHOWN_CHARACTERS)
        self.screen.note(f"{number} of {len(calls)}: type what {made} gives; /undo takes the question back")

    def _tell_limits(self, is_cut: bool, statistics: Statistics | None) -> None:
        """Say what was left out or cut, and how full the context is once that matters."""
        if statistics is None:
            return
        n_ctx = self.context_tokens()
        if left_out := context.left_out(statistics):
            self.screen.note(left_out)
        if is_cut and context.is_full(statistics, n_ctx):
            self.screen.note(f"cut at the end of the context, {n_ctx} tokens; {context.ADVICE}")
            return
        if is_cut:
            self.screen.note("cut at the limit of tokens; /set n_predict raises it")
        if note := context.note(statistics, n_ctx):
            self.screen.note(note)


def _advice(failure: ServerError) -> str:
    if failure.is_too_long:
        return (
            f"; {context.ADVICE}, /set truncate true leaves out what does not fit; then /regen sends the question again"
        )
    if failure.status == HTTP_UNAUTHORIZED:
        return "; /key takes one, then /regen sends the question again"
    wait = f"; try again in {failure.retry_after_s} s" if failure.retry_after_s is not None else ""
    return f"{wait}; /regen sends the question again"
