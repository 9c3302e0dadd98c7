"""Conversations whose texts are tokenised literally: names of control tokens that somebody wrote stay text.

The template's own markers must become tokens, so it has to be known what of a rendered conversation it wrote itself.
The conversation is rendered once more, with a mark in the place of each text, and the special tokens are looked for
there. What lies between them is tokenised without them, the texts back in their places, each stretch as a whole: so all
tokens but those that a text named are the same as ever.

That holds if the template writes texts as they are; blanks around them may be trimmed. Whether it does is seen by
comparing: the marked rendering with the texts in place must be the plain one. If it is not (templates cut out thoughts,
change case, look for words), the plain one is taken if no text names a control token and both renderings have the same
ones. Else the conversation is refused: a text never becomes a control token unnoticed.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from service.errors import InvalidArgument
from service.prompts.templates import Conversation, Message

if TYPE_CHECKING:
    from service.prompts.vocabulary import Vocabulary

#: Roles that templates ask for by name; they are words, which no text of a caller's choice is.
KNOWN_ROLES = frozenset({"system", "developer", "user", "assistant", "model", "tool", "function", "ipython"})
_FIELD = "chat.messages"

Render = Callable[[Conversation], str]


def tokenize_literally(render: Render, conversation: Conversation, vocabulary: Vocabulary) -> list[int]:
    """Token ids of a conversation, without further special tokens around it, in which texts name none.

    Args:
        render: makes the prompt of a conversation.
        conversation: what to render.
        vocabulary: the model's.

    Raises:
        InvalidArgument: the template does not show where the texts of this conversation end up.
    """
    _check_structure(conversation, vocabulary)
    marks = _Marks()
    plain, marked = render(conversation), render(marks.hide(conversation))
    if marks.reveal(marked) == plain:
        return _around_texts(marked, marks, vocabulary)
    tokens, template_tokens = (vocabulary.tokenize(text, parse_special=True) for text in (plain, marked))
    names_any = any(_names_control(text, vocabulary) for text in marks.texts)
    if names_any or _controls(tokens, vocabulary) != _controls(template_tokens, vocabulary):
        raise InvalidArgument(
            _FIELD,
            "cannot be tokenised literally: the chat template changes or looks into their texts, and these name "
            "control tokens or change which of them it writes; leave such names out, or use another template",
        )
    return tokens


@dataclass(slots=True)
class _Marks:
    """Texts of a conversation, and the marks in their places: digits, which no filter of a template changes."""

    texts: list[str] = field(default_factory=list)
    _secret: str = field(default_factory=lambda: str(secrets.randbelow(10**24)).zfill(24))

    def hide(self, conversation: Conversation) -> Conversation:
        """The conversation with marks."""
        return replace(conversation, messages=[self._hide_message(message) for message in conversation.messages])

    def reveal(self, text: str) -> str:
        """A text with what the marks stand for."""
        return re.sub(rf"{self._secret}(\d{{8}})", lambda match: self.texts[int(match[1])], text)

    def _hide_message(self, message: Message) -> Message:
        hidden = {**message, "content": self._mark(message["content"])}
        if message["role"] not in KNOWN_ROLES:
            hidden["role"] = self._mark(message["role"])
        if "name" in message:
            hidden["name"] = self._mark(message["name"])
        return hidden

    def _mark(self, text: str) -> str:
        """The text's mark between the blanks around it, so that a template which trims them does so here, too."""
        core = text.strip()
        if not core:
            return text
        start = text.index(core)
        self.texts.append(core)
        return f"{text[:start]}{self._secret}{len(self.texts) - 1:08}{text[start + len(core) :]}"


def _around_texts(marked: str, marks: _Marks, vocabulary: Vocabulary) -> list[int]:
    """Token ids of the plain rendering with those special tokens alone that the marked one has."""
    stretches = vocabulary.split_control(marked)
    expected: list[int] = vocabulary.tokenize(marked, parse_special=True)
    if _joined(stretches, vocabulary, lambda text: text) != expected:
        raise InvalidArgument(
            _FIELD,
            "cannot be tokenised literally: special tokens of this model overlap where its chat template writes them",
        )
    return _joined(stretches, vocabulary, marks.reveal)


def _joined(stretches: list[int | str], vocabulary: Vocabulary, reveal: Callable[[str], str]) -> list[int]:
    tokens: list[int] = []
    for stretch in stretches:
        if isinstance(stretch, int):
            tokens.append(stretch)
        else:
            tokens += vocabulary.tokenize(reveal(stretch), parse_special=False)
    return tokens


def _controls(tokens: list[int], vocabulary: Vocabulary) -> list[int]:
    return [token for token in tokens if not vocabulary.token_bytes(token)]


def _names_control(text: str, vocabulary: Vocabulary) -> bool:
    return any(isinstance(stretch, int) for stretch in vocabulary.split_control(text))


def _check_structure(conversation: Conversation, vocabulary: Vocabulary) -> None:
    """Refuse names of control tokens where templates write JSON, or what callers cannot choose freely otherwise."""
    places = [("chat.tools_json", conversation.tools), ("chat.template_kwargs_json", conversation.variables)]
    for index, message in enumerate(conversation.messages):
        places += [
            (f"{_FIELD}[{index}].{key}", message[key]) for key in ("tool_calls", "tool_call_id") if key in message
        ]
    for place, value in places:
        for text in _texts_in(value):
            if _names_control(text, vocabulary):
                raise InvalidArgument(
                    place, f"{text[:60]!r} names a control token, which is not possible where texts are taken literally"
                )


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield str(key)
            yield from _texts_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts_in(one)
