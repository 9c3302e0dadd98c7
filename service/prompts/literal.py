"""Tokenises conversations literally: names of control tokens in their texts stay text.

The markers that the template writes must still become control tokens, so the two have to be told apart. The
conversation is rendered a second time with a mark in place of each text, and control tokens are looked for in that
rendering. What lies between them is tokenised without control tokens, with the texts back in their places. So the
tokens are the usual ones, except where a text names a control token.

This works if the template copies texts unchanged; it may trim blanks around them. That is checked: the marked rendering
with the texts put back must equal the plain rendering. Some templates fail this check (they remove reasoning, change
case, or look for words). Then the plain rendering is used if no text names a control token and both renderings have the
same control tokens; otherwise the conversation is refused. A text never becomes a control token unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from service.errors import InvalidArgument
from service.prompts.templates import Conversation, Message, secret_digits

if TYPE_CHECKING:
    from service.prompts.vocabulary import Vocabulary

#: Roles that templates compare with, and which therefore are not hidden; they name no control tokens.
KNOWN_ROLES = frozenset({"system", "developer", "user", "assistant", "model", "tool", "function", "ipython"})
#: What a turn may have of texts that are hidden.
_TEXTS = ("content", "name", "reasoning_content", "reasoning", "thinking")
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
    """Replaces the texts of a conversation by marks, which are digits."""

    texts: list[str] = field(default_factory=list)
    _secret: str = field(default_factory=partial(secret_digits, 24))

    def hide(self, conversation: Conversation) -> Conversation:
        """The conversation with marks in place of its texts."""
        return replace(conversation, messages=[self._hide_message(message) for message in conversation.messages])

    def reveal(self, text: str) -> str:
        """A rendering with the texts back in place of their marks."""
        return re.sub(rf"{self._secret}(\d{{8}})", lambda match: self.texts[int(match[1])], text)

    def _hide_message(self, message: Message) -> Message:
        hidden = {
            **message,
            **{key: self._mark(message[key]) for key in _TEXTS if isinstance(message.get(key), str)},
        }
        if message["role"] not in KNOWN_ROLES:
            hidden["role"] = self._mark(message["role"])
        return hidden

    def _mark(self, text: str) -> str:
        """The mark of a text, with the blanks around the text kept, so that a template trims them as it would there."""
        core = text.strip()
        if not core:
            return text
        start = text.index(core)
        self.texts.append(core)
        return f"{text[:start]}{self._secret}{len(self.texts) - 1:08}{text[start + len(core) :]}"


def _around_texts(marked: str, marks: _Marks, vocabulary: Vocabulary) -> list[int]:
    """Token ids of the plain rendering, with no other control tokens than the marked one has."""
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
    """Refuse names of control tokens in tools, tool calls and template variables, which marks cannot replace."""
    fields = [("chat.tools_json", conversation.tools), ("chat.template_kwargs_json", conversation.variables)]
    for index, message in enumerate(conversation.messages):
        fields += [
            (f"{_FIELD}[{index}].{key}", message[key]) for key in ("tool_calls", "tool_call_id") if key in message
        ]
    for path, value in fields:
        for text in _texts_in(value):
            if _names_control(text, vocabulary):
                raise InvalidArgument(
                    path, f"{text[:60]!r} names a control token, which is not possible where texts are taken literally"
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
