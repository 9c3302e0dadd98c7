"""A vocabulary and a template as one caller's preparation uses them: in pieces, and no longer than it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.prompts.templates import ChatTemplate, Conversation
    from service.prompts.vocabulary import FimTokens, Vocabulary
    from service.prompts.work import Work

#: Prompts that are too long are counted to their end up to this many tokens.
COUNTED_TOKENS = 65_536


class TooManyTokens(Exception):
    """A text has more tokens than are of use; the rest of it was not looked at.

    Attributes:
        n_tokens: what was counted.
    """

    def __init__(self, n_tokens: int) -> None:
        super().__init__(f"more than {n_tokens} tokens")
        self.n_tokens = n_tokens


class _Wrapped:
    """A vocabulary whose texts are tokenised in a special way; see ``Vocabulary``."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    @property
    def n_vocab(self) -> int:
        return self._vocabulary.n_vocab

    @property
    def bos_token(self) -> int | None:
        return self._vocabulary.bos_token

    @property
    def eos_token(self) -> int | None:
        return self._vocabulary.eos_token

    @property
    def sep_token(self) -> int | None:
        return self._vocabulary.sep_token

    @property
    def adds_bos(self) -> bool:
        return self._vocabulary.adds_bos

    @property
    def adds_eos(self) -> bool:
        return self._vocabulary.adds_eos

    @property
    def adds_sep(self) -> bool:
        return self._vocabulary.adds_sep

    @property
    def eog_tokens(self) -> frozenset[int]:
        return self._vocabulary.eog_tokens

    @property
    def fim_tokens(self) -> FimTokens | None:
        return self._vocabulary.fim_tokens

    def tokenize(self, text: str, *, parse_special: bool) -> list[int]:
        """Token ids of a text."""
        tokens: list[int] = []
        for step in self.token_steps(text, parse_special=parse_special):
            tokens += step
        return tokens

    def token_steps(self, text: str, *, parse_special: bool) -> Iterator[list[int]]:
        """The same, piece by piece."""
        return self._vocabulary.token_steps(text, parse_special=parse_special)

    def split_control(self, text: str) -> list[int | str]:
        return self._vocabulary.split_control(text)

    def token_bytes(self, token: int, special: bool = False) -> bytes:
        return self._vocabulary.token_bytes(token, special)


class PacedVocabulary(_Wrapped):
    """A vocabulary that pauses beside each piece of a text, which raises Abandoned if nobody waits for it any more.

    Args:
        vocabulary: the model's.
        work: the preparation.
    """

    def __init__(self, vocabulary: Vocabulary, work: Work) -> None:
        super().__init__(vocabulary)
        self._work = work

    def token_steps(self, text: str, *, parse_special: bool) -> Iterator[list[int]]:
        """Token ids of a text, piece by piece."""
        self._work.pause()
        for step in super().token_steps(text, parse_special=parse_special):
            yield step
            self._work.pause()


class BoundedVocabulary(_Wrapped):
    """A vocabulary that gives up on what is too long anyway: it raises TooManyTokens.

    Args:
        vocabulary: the model's.
        n_useful: tokens that could be of use, all texts together. Counting goes on to ``COUNTED_TOKENS``, so that
            those who are a little off hear by how much.
    """

    def __init__(self, vocabulary: Vocabulary, n_useful: int) -> None:
        super().__init__(vocabulary)
        self._most = max(n_useful, COUNTED_TOKENS)
        self._n_tokens = 0

    def token_steps(self, text: str, *, parse_special: bool) -> Iterator[list[int]]:
        """Token ids of a text, piece by piece."""
        for step in super().token_steps(text, parse_special=parse_special):
            self._n_tokens += len(step)
            if self._n_tokens > self._most:
                raise TooManyTokens(self._n_tokens)
            yield step


class PacedTemplate:
    """A template whose rendering ends with the preparation; see ``ChatTemplate``.

    Args:
        template: the one in force.
        work: the preparation.
    """

    def __init__(self, template: ChatTemplate, work: Work) -> None:
        self._template = template
        self._work = work

    @property
    def source(self) -> str:
        return self._template.source

    def render(self, conversation: Conversation, work: Work | None = None) -> str:
        """Render a conversation; raises Abandoned if nobody waits for it any more."""
        return self._template.render(conversation, work or self._work)
