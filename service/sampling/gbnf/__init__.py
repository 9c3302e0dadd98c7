"""GBNF grammars as text: whether the library can be trusted with one, and how to write one. Standard library only.

``check_grammar`` refuses whatever llama.cpp refuses, and what it would crash or hang on; ``choice_grammar`` and
``JSON_OBJECT`` are grammars for common wishes.
"""

from service.sampling.gbnf.build import JSON_OBJECT, choice_grammar
from service.sampling.gbnf.check import MAX_GRAMMAR_BYTES, check_grammar
from service.sampling.gbnf.rules import GrammarError

__all__ = ["JSON_OBJECT", "MAX_GRAMMAR_BYTES", "GrammarError", "check_grammar", "choice_grammar"]
