"""Wrappers of a vocabulary and a template that pause between chunks of work and stop when the caller has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.prompts.templates import ChatTemplate, Conversation
    from service.prompts.vocabulary import FimTokens, Vocabulary
    from service.prompts.work import Work

#: Prompts that are too long are counted up to this many tokens.
COUNTED_TOKENS = 65_536


class TooManyTokens(Exception):
    """A text has more tokens than can be used; the remainder of it was not tokenised.

    Attributes:
        n_tokens: those counted so far.
    """

    def __init__(self, n_tokens: int) -> None:
        super().__init__(f"more than {n_tokens} tokens")
        self.n_tokens = n_tokens


class WrappedVocabulary:
    """A ``Vocabulary`` that passes everything on to another; subclasses change how texts are tokenised."""

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
    def adds_sep_to_pairs(self) -> bool:
        return self._vocabulary.adds_sep_to_pairs

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
        """The same, chunk by chunk."""
        return self._vocabulary.token_steps(text, parse_special=parse_special)

    def split_control(self, text: str) -> list[int | str]:
        return self._vocabulary.split_control(text)

    def token_bytes(self, token: int, special: bool = False) -> bytes:
        return self._vocabulary.token_bytes(token, special)


class PacedVocabulary(WrappedVocabulary):
    """A vocabulary that pauses before and after each chunk of a text; raises Abandoned once the caller has gone.

    Args:
        vocabulary: the model's.
        work: the preparation.
    """

    def __init__(self, vocabulary: Vocabulary, work: Work) -> None:
        super().__init__(vocabulary)
        self._work = work

    def token_steps(self, text: str, *, parse_special: bool) -> Iterator[list[int]]:
        """Token ids of a text, chunk by chunk."""
        self._work.pause()
        for step in super().token_steps(text, parse_special=parse_special):
            yield step
            self._work.pause()


class BoundedVocabulary(WrappedVocabulary):
    """A vocabulary that raises TooManyTokens for texts that are too long anyway.

    Args:
        vocabulary: the model's.
        n_useful: most tokens that can be used, over all texts. Counting continues to ``COUNTED_TOKENS``, so that
            callers who are slightly over learn by how much.
    """

    def __init__(self, vocabulary: Vocabulary, n_useful: int) -> None:
        super().__init__(vocabulary)
        self._most = max(n_useful, COUNTED_TOKENS)
        self._n_tokens = 0

    def token_steps(self, text: str, *, parse_special: bool) -> Iterator[list[int]]:
        """Token ids of a text, chunk by chunk."""
        for step in super().token_steps(text, parse_special=parse_special):
            self._n_tokens += len(step)
            if self._n_tokens > self._most:
                raise TooManyTokens(self._n_tokens)
            yield step


class PacedTemplate:
    """A ``ChatTemplate`` whose rendering ends with the preparation that it belongs to.

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
