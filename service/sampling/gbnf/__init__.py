"""GBNF grammars as text: checks that protect the library, and grammars for common needs.

``check_grammar`` refuses whatever llama.cpp refuses, and what it would crash or hang on; ``choice_grammar`` and
``JSON_OBJECT`` are grammars that requests ask for by kind. Needs the standard library and ``slotline.options`` alone.
"""

from service.sampling.gbnf.build import JSON_OBJECT, choice_grammar
from service.sampling.gbnf.check import MAX_GRAMMAR_BYTES, check_grammar
from service.sampling.gbnf.rules import GrammarError

__all__ = ["JSON_OBJECT", "MAX_GRAMMAR_BYTES", "GrammarError", "check_grammar", "choice_grammar"]
