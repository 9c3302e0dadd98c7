"""Constraints on the output other than GBNF: JSON Schema, any JSON object, regular expressions, choices and Lark.

All of them become a grammar in the Lark dialect of llguidance, which compiles it for the model's vocabulary and follows
it token by token. The only code that imports ``llguidance``.
"""
