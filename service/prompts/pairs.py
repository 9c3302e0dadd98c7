"""Pairs of a query and a document, as models that score them want them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from service.prompts.prompt import bos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.prompts.vocabulary import Vocabulary

_PLACE = re.compile(r"\{(query|document)\}")


class PairTokenizer:
    """Tokenises a query with one document after the other.

    Without a template a pair is [BOS] query [EOS] [SEP] document [EOS], each if the vocabulary wants it, with SEP where
    there is no EOS.

    Args:
        query: what is looked for.
        vocabulary: the model's; tokenises the query at once if it stands by itself.
        template: the model's own way to write a pair, with ``{query}`` and ``{document}`` in it; None without one.
    """

    def __init__(self, query: str, vocabulary: Vocabulary, template: str | None) -> None:
        self._query = query
        self._template = template
        eos = vocabulary.eos_token if vocabulary.eos_token is not None else vocabulary.sep_token
        self._end = [eos] if vocabulary.adds_eos and eos is not None else []
        separator = [vocabulary.sep_token] if vocabulary.adds_sep_to_pairs and vocabulary.sep_token is not None else []
        self._head: list[int] = []
        if template is None:
            query_ids = vocabulary.tokenize(query, parse_special=False)
            self._head = [*bos(vocabulary), *query_ids, *self._end, *separator]

    @property
    def n_head(self) -> int:
        """Tokens of a pair that were there before its document is tokenised."""
        return len(self._head)

    def tokenize(self, document: str, vocabulary: Vocabulary) -> list[int]:
        """Token ids of the query and a document.

        Args:
            document: what may be relevant.
            vocabulary: the model's, which may bound what it tokenises.
        """
        if self._template is None:
            return [*self._head, *vocabulary.tokenize(document, parse_special=False), *self._end]
        texts = {"query": self._query, "document": document}
        text = _PLACE.sub(lambda place: texts[place[1]], self._template)
        return vocabulary.tokenize(text, parse_special=True)

    def tokenize_document(self, document: str, vocabulary: Vocabulary, most: int | None = None) -> list[int]:
        """Token ids of a document by itself; those behind the first ``most`` may be left out."""
        tokens: list[int] = []
        for step in vocabulary.token_steps(document, parse_special=self._template is not None):
            tokens += step
            if most is not None and len(tokens) > most:
                break
        return tokens

    def around(self, document: Sequence[int], vocabulary: Vocabulary) -> list[int]:
        """Token ids of the query and a document, of which some are left out, so that it has no text any more."""
        if self._template is None:
            return [*self._head, *document, *self._end]
        tokens: list[int] = []
        text, end = "", 0
        for place in _PLACE.finditer(self._template):
            text += self._template[end : place.start()]
            end = place.end()
            if place[1] == "query":
                text += self._query
            else:
                tokens += [*vocabulary.tokenize(text, parse_special=True), *document]
                text = ""
        return [*tokens, *vocabulary.tokenize(text + self._template[end:], parse_special=True)]
