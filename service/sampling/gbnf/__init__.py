"""GBNF grammars as text: checks that protect the library.

``check_grammar`` refuses whatever llama.cpp refuses, and what it would crash or hang on. Needs the standard library and
``slotline.options`` alone.
"""

from service.sampling.gbnf.check import MAX_GRAMMAR_BYTES, check_grammar
from service.sampling.gbnf.guide import GbnfGuide
from service.sampling.gbnf.rules import GrammarError

__all__ = ["MAX_GRAMMAR_BYTES", "GbnfGuide", "GrammarError", "check_grammar"]
