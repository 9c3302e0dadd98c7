"""Pairs of a query and a document, as models that score them want them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from service.prompts.prompt import bos

if TYPE_CHECKING:
    from service.prompts.vocabulary import Vocabulary

_PLACE = re.compile(r"\{(query|document)\}")


def tokenize_pair(query: str, document: str, vocabulary: Vocabulary, template: str | None) -> list[int]:
    """Token ids of a pair.

    Args:
        query: what is looked for.
        document: what may be relevant.
        vocabulary: the model's.
        template: the model's own way, with ``{query}`` and ``{document}`` in it; None for [BOS] query [EOS] [SEP]
            document [EOS], each if the vocabulary wants it, with SEP where there is no EOS.
    """
    if template is not None:
        texts = {"query": query, "document": document}
        text = _PLACE.sub(lambda place: texts[place[1]], template)
        return vocabulary.tokenize(text, parse_special=True)
    eos = vocabulary.eos_token if vocabulary.eos_token is not None else vocabulary.sep_token
    end = [eos] if vocabulary.adds_eos and eos is not None else []
    separator = [vocabulary.sep_token] if vocabulary.adds_sep and vocabulary.sep_token is not None else []
    return [
        *bos(vocabulary),
        *vocabulary.tokenize(query, parse_special=False),
        *end,
        *separator,
        *vocabulary.tokenize(document, parse_special=False),
        *end,
    ]
