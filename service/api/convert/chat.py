"""A conversation as the text and the tokens that the chat template makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from service.api.convert.checks import count_at_most
from service.api.convert.conversation import check_continued, conversation
from service.api.convert.pictures import Pictures, text_size_at_most
from service.dialogue.template.tags import same_beginning
from service.errors import InvalidArgument
from service.prompts.continuation import render_continued
from service.prompts.literal import tokenize_literally
from service.prompts.pictures import MarkedVocabulary, PictureMarks
from service.prompts.tolerant import TolerantTemplate

if TYPE_CHECKING:
    from service.api.served_model import ServedModel
    from service.prompts.templates import Conversation
    from slotline.v1 import prompt_pb2


class RenderedChat:
    """A conversation that a model's chat template renders. Everything here may take a while.

    Args:
        chat: the conversation.
        model: whose template renders it.

    Attributes:
        pictures: those of the conversation. The template sees marks in their places.

    Raises:
        InvalidArgument: the conversation is malformed or too large; from its methods, the template does not take it.
        NotSupported: it has pictures, and the model takes none.
    """

    def __init__(self, chat: prompt_pb2.ChatPrompt, model: ServedModel) -> None:
        count_at_most("chat.messages", len(chat.messages), model.limits.max_messages)
        text_size_at_most("chat", chat, model.limits.max_prompt_bytes)
        self.pictures = Pictures(model)
        self._marks: PictureMarks | None = None
        self._is_continued = chat.continue_final_message
        self._turns = conversation(chat, model, self._show)
        self._template = TolerantTemplate(model.template)
        self._vocabulary = model.vocabulary if self._marks is None else MarkedVocabulary(model.vocabulary, self._marks)
        self._text: str | None = None
        if chat.continue_final_message:
            check_continued(chat)

    @property
    def text(self) -> str:
        """The text that would be tokenised, with ``PLACEHOLDER`` for each picture."""
        return self._marked if self._marks is None else self._marks.shown(self._marked)

    @property
    def _marked(self) -> str:
        """The text with a mark for each picture; rendered once."""
        # Not a cached_property: Python 3.11 holds one lock for all objects while it computes one, and rendering ends
        # with waiting for a turn of those that would wait for the lock.
        if self._text is None:
            text = self._render(self._turns)
            if self._marks is not None:
                self._marks.check(text, self.pictures.fields)
            self._text = text
        return self._text

    def tokens(self, *, literally: bool) -> list[int]:
        """Token ids and places of pictures, with no more special tokens than the template writes.

        Args:
            literally: take the conversation's texts so, so that they name no special tokens.

        Raises:
            InvalidArgument: what is literal cannot be told from what the template wrote, or that does not have each
                picture once.
        """
        if literally:
            return tokenize_literally(self._rendered, self._turns, self._vocabulary)
        return self._vocabulary.tokenize(self._marked, parse_special=True)

    def tail(self) -> str:
        """What the text has behind the last turn, or from that turn on if it is continued."""
        tail = self._marked_tail()
        return tail if self._marks is None else self._marks.shown(tail)

    def _marked_tail(self) -> str:
        turns, text = self._turns, self._marked
        earlier = turns.messages[:-1] if self._is_continued else turns.messages
        try:
            before = self._template.render(replace(turns, messages=earlier, add_generation_prompt=False))
        except InvalidArgument:  # templates may need a turn
            before = ""
        tail = text[len(same_beginning(text, before)) :]
        if tail or self._is_continued or not turns.add_generation_prompt:
            return tail
        # The template opens an answer whether it is asked to or not, or never.
        _, found, behind = text.rpartition((turns.messages[-1]["content"] or "").strip() or text)
        return behind if found else ""

    def _rendered(self, turns: Conversation) -> str:
        return self._marked if turns is self._turns else self._render(turns)

    def _show(self, image: prompt_pb2.Image, field: str) -> str:
        number = self.pictures.take(image, field)
        if self._marks is None:
            self._marks = PictureMarks()
        return self._marks.mark(number)

    def _render(self, turns: Conversation) -> str:
        return render_continued(self._template, turns) if self._is_continued else self._template.render(turns)
