"""Grammars in GBNF that several tests use."""

from __future__ import annotations

#: Any JSON object, with bounded numbers and white space.
JSON_OBJECT = r"""root ::= object
value ::= object | array | string | number | ("true" | "false" | "null") space
object ::= "{" space (member ("," space member)*)? "}" space
member ::= string ":" space value
array ::= "[" space (value ("," space value)*)? "]" space
string ::= "\"" ([^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\"" space
number ::= "-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,3})? space
space ::= "" | " " | "\n" [ \t]{0,20}
"""
