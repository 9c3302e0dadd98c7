"""Checks that protect llama.cpp from grammars that would crash or hang it."""

from __future__ import annotations

import functools

from service.sampling.gbnf.ambiguity import check_ambiguity
from service.sampling.gbnf.expansion import check_expansion
from service.sampling.gbnf.parser import parse
from service.sampling.gbnf.rules import GrammarError
from slotline.options import max_bytes

MAX_GRAMMAR_BYTES = max_bytes("grammar")
ROOT = "root"


# A grammar is checked when the request arrives and again before the library gets it, and most requests repeat one.
@functools.lru_cache(maxsize=64)
def check_grammar(text: str) -> int:
    """Accept a grammar that the library takes and survives.

    Returns:
        The most bytes that a token may have for the library to be asked about it.

    Raises:
        GrammarError: it is not GBNF, has no rule ``root``, is left recursive or too ambiguous, or exceeds a limit.
    """
    try:
        n_bytes = len(text.encode())
    except UnicodeEncodeError as error:
        raise GrammarError(1, 1, f"the grammar is no Unicode text: {error.reason}") from None
    if n_bytes > MAX_GRAMMAR_BYTES:
        raise GrammarError(1, 1, f"the grammar has {n_bytes} bytes; allowed are at most {MAX_GRAMMAR_BYTES}")
    rules = parse(text)
    if ROOT not in rules.numbers:
        raise GrammarError(1, 1, f"the grammar has no rule {ROOT!r}, with which the text would begin")
    check_expansion(rules)
    return check_ambiguity(rules)
