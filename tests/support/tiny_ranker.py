"""A tiny reranker, and what it must say by its formula."""

from __future__ import annotations

from tests.support import numpy_bert
from tests.support.minilm_gguf import CLS, SEP, TinyEncoder, tiny_tensors

RANKER = TinyEncoder(pooling=4, n_ctx_train=32)


def expected(query: str, document: str) -> tuple[float, int]:
    """Score and length of a pair."""
    # The vocabulary names no EOS, for which SEP stands, and wants SEP at the end of texts.
    tokens = [CLS, *_ids(query), SEP, *_ids(document)]
    return numpy_bert.score(tiny_tensors(RANKER), RANKER.n_heads, tokens), len(tokens)


def _ids(text: str) -> list[int]:
    """Tokens of words of the tiny vocabulary."""
    found: list[int] = []
    for word in text.split():
        if word in ("hello", "world") or len(word) == 1:
            found.append(RANKER.tokens.index(word))
        else:
            found += [RANKER.tokens.index("hello"), RANKER.tokens.index("##ing")]
    return found
