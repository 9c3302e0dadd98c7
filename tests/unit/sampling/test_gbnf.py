"""The check of grammars, without the library: what is taken, what is refused, where and why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sampling.gbnf import GrammarError, check_grammar
from service.sampling.gbnf.ambiguity import UNLIMITED
from tests.support.gbnf_samples import JSON_OBJECT

ARITHMETIC = r"""# Sums and products, one per line.
root  ::= (expr "=" blanks term "\n")+
expr  ::= term ([-+*/] term)*
term  ::= ident | num | "(" blanks expr ")" blanks
ident ::= [a-z] [a-z0-9_]* blanks
num   ::= [0-9]+ blanks   # no sign
blanks ::= [ \t\n]*
"""
LIST = 'root ::= item+\nitem ::= "- " [^\\r\\n\\x0b\\x0c\\x85\\u2028\\u2029]+ "\\n"\n'
JAPANESE = "root ::= jp+ ([ \\t\\n] jp+)*\njp ::= [ぁ-ゟ] | [ァ-ヿ] | [、-〾] | [一-龯]"
CHESS = """root ::= "1. " move " " move "\\n" ([1-9] [0-9]? ". " move " " move "\\n")+
move ::= (pawn | piece | castle) [+#]?
piece ::= [NBKQR] [a-h]? [1-8]? "x"? [a-h] [1-8]
pawn ::= ([a-h] "x")? [a-h] [1-8] ("=" [NBKQR])?
castle ::= "O-O" "-O"?"""


@pytest.mark.parametrize(
    "text",
    [
        *(ARITHMETIC, LIST, JAPANESE, CHESS, JSON_OBJECT),
        'root ::= "yes" | "no"',
        'root::="a"',
        '\n\n# comment\nroot ::= # comment\n  "a" | # comment\n  "b" # comment',
        'root ::= "a"\r\nother-rule-2 ::= [b]\r',
        'root ::= (\n"a"\n|\n"b"\n)\n',
        "root ::=",
        "root ::= | | ",
        'root ::= ""',
        "root ::= []",
        'root ::= ()\nother ::= "a"',
        r'root ::= "\n\t\r\\\"\[\]\-\x41\u00e9\U0001F600"',
        r"root ::= [\]\[\-\\a-z\x00-\x1F^-]",
        "root ::= [^a-z-] [-a] [a-] [a\\-z] [z-a]",
        "root ::= .",
        "root ::= [.*+?{}()|#\"'<!]",
        'root ::= "#(" ")" "a\nb"',
        'root ::= "a"* "b"+ "c"? "d"{2} "e"{2,} "f"{2,3} "g"{ 2 , 3 } "h"{0,0} "i"{2,2001}',
        'root ::= "a"+* "b"{2}{3}',
        'root ::= [0-9]{2000} "x"{0,2000}',
        "root ::= " + "(" * 200 + '"a"' + ")" * 200,
        'root ::= "(" root ")" | ""',
        'root ::= "a"\nroot ::= "b"',
        'root ::= (blank? "a")*\nblank ::= space\nspace ::= " "?',
        'root ::= ("a"?)*',
        'root ::= (maybe)* "b"\nmaybe ::= other\nother ::= "a" |',
        "root ::= " + '"' + "a" * (64 * 1024 - 11) + '"',
    ],
)
def test_a_grammar_is_taken(text: str) -> None:
    check_grammar(text)


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        # Syntax.
        ('root ::= "a', 1, 10, "this literal is not closed"),
        ('root ::= "a\\', 1, 12, "\\ is no escape"),
        ("root ::= [a", 1, 10, "this character class is not closed"),
        ("root ::= [a-", 1, 10, "this character class is not closed"),
        ('root ::= "\\q"', 1, 11, "\\q is no escape; allowed are \\n"),
        ('root ::= "\\x4"', 1, 11, "\\x needs 2 hexadecimal digits"),
        ('root ::= "\\u00g0"', 1, 11, "\\u needs 4 hexadecimal digits"),
        ('root ::= "\\U0001F60"', 1, 11, "\\U needs 8 hexadecimal digits"),
        ('root ::= ("a"', 1, 14, "expected ')', found the end"),
        ('root ::= "a")', 1, 13, "expected '|', a newline or the end, found ')'"),
        ("root ::= my_rule", 1, 12, "found '_'"),
        ("root = x", 1, 6, "expected '::=', found '='"),
        ("root\n::= x", 1, 5, "expected '::='"),
        ("_ ::= x", 1, 1, "expected a rule's name"),
        ('root ::= "a"\n | "b"', 2, 2, "expected a rule's name"),
        ("root ::= \"a\" 'b'", 1, 14, 'found "\'"'),
        ('root ::= "a\0"', 1, 12, "the character NUL is not allowed"),
        ('root ::= "\ud800"', 1, 1, "no Unicode text"),
        ("root ::= <think>", 1, 10, "references to tokens are not available"),
        ("root ::= !<[5]>", 1, 10, "references to tokens are not available"),
        # Repetitions.
        ("root ::= *", 1, 10, "nothing to repeat"),
        ('root ::= ""+', 1, 12, "nothing to repeat"),
        ('root ::= "a" | ?', 1, 16, "nothing to repeat"),
        ('root ::= "a"{0}*', 1, 16, "nothing to repeat"),
        ('root ::= "a"{', 1, 14, "expected a number, found the end"),
        ('root ::= "a"{x}', 1, 14, "expected a number, found 'x'"),
        ('root ::= "a"{,3}', 1, 14, "expected a number, found ','"),
        ('root ::= "a"{3', 1, 15, "expected ',' or '}'"),
        ('root ::= "a"{3,4', 1, 17, "expected '}'"),
        ('root ::= "a"{3,2}', 1, 13, "at least 3 and at most 2 repetitions exclude each other"),
        ('root ::= "a"{1,0}', 1, 13, "exclude each other"),
        ('root ::= "a"{2001}', 1, 13, "2001 repetitions; allowed are at most 2000"),
        ('root ::= "a"{2001,}', 1, 13, "2001 repetitions; allowed are at most 2000"),
        ('root ::= "a"{1,99999999999999999999}', 1, 16, "the number is too large"),
        ('root ::= "a"{1000}{3}', 1, 19, "3000 rules in all; allowed are at most 2000"),
        ('root ::= (a b c){600}\na::="a"\nb::="b"\nc::="c"', 1, 17, "2400 rules in all"),
        ('root ::= "' + "a" * 1000 + '"{1000}', 1, 1018, "more than 200000 symbols"),
        # Rules.
        ("", 1, 1, "the grammar has no rule 'root'"),
        ("# nothing", 1, 1, "the grammar has no rule 'root'"),
        ('Root ::= "a"', 1, 1, "the grammar has no rule 'root'"),
        ('root ::= "a" b\n', 1, 14, "rule 'b' is not defined"),
        ('x ::= "a"\ny ::= x root', 2, 9, "rule 'root' is not defined"),
        # Left recursion.
        ('root ::= root "a" | "b"', 1, 1, "rule 'root' is left recursive"),
        ('root ::= a\na ::= b "x"\nb ::= a | "y"', 2, 1, "rule 'a' is left recursive"),
        ('root ::= "a"\nother ::= other', 2, 1, "rule 'other' is left recursive"),
        ('root ::= "" root', 1, 1, "rule 'root' is left recursive"),
        ('root ::= "a"?*', 1, 14, "left recursive"),
        ('root ::= e root "x" | "y"\ne ::= f\nf ::= "a" |', 1, 1, "rule 'root' is left recursive"),
        ('root ::= "z" | a\na ::= e a\ne ::= f\nf ::= ""', 2, 1, "rule 'a' never begins with a character"),
        # Size.
        ("root ::= " + "(" * 201 + '"a"' + ")" * 201, 1, 210, "nested more than 200 deep"),
        ("root ::= " + "(" * 20_000, 1, 210, "nested more than 200 deep"),
        ('root ::= "' + "é" * 32_763 + '"', 1, 1, "the grammar has 65537 bytes; allowed are at most 65536"),
        ('root ::= "x"?{0,150}', 1, 14, "more than 128 ways"),
        ('root ::= "q" ' + '"x"? ' * 300, 1, 1, "rule 'root' branches into more than 128 ways"),
    ],
)
def test_a_grammar_is_refused_with_the_place_and_the_reason(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(GrammarError) as caught:
        check_grammar(text)
    assert reason in caught.value.reason
    assert (caught.value.line, caught.value.column) == (line, column)
    assert str(caught.value) == f"line {line}, column {column}: {caught.value.reason}"


@pytest.mark.parametrize("text", [JSON_OBJECT, ARITHMETIC, LIST, JAPANESE, CHESS, 'root ::= "a"* "a"* "a"*'])
def test_tokens_of_any_length_suit_a_grammar_that_is_hardly_ambiguous(text: str) -> None:
    assert check_grammar(text) == UNLIMITED


@pytest.mark.parametrize("text", ["root ::= ([a-z]+)+", "root ::= ([a-z]? [a-z]?)*", 'root ::= "x" ([^x]+ | "y"+)*'])
def test_only_short_tokens_suit_a_grammar_whose_ways_multiply_and_meet_again(text: str) -> None:
    assert 4 <= check_grammar(text) <= 12


@pytest.mark.parametrize(
    "text",
    [
        'root ::= "a" root "b" | "a" root "c" | "d"',
        'root ::= "q" inner\ninner ::= [a-z] inner "b" | [^0-9] inner "c" | "d"',
        "root ::= [^x] (root{2,3} | ){0,3}",
    ],
)
def test_a_grammar_whose_ways_multiply_and_stay_apart_is_refused(text: str) -> None:
    with pytest.raises(GrammarError, match="too ambiguous: a text can be read in more than 256 ways"):
        check_grammar(text)


def chain(n_rules: int, body: str) -> str:
    """Rules of which each begins with the next."""
    rules = [f"r{index} ::= {body.format(f'r{index + 1}')}" for index in range(n_rules)]
    return "\n".join(["root ::= r0", *rules, f'r{n_rules} ::= "z"'])


def test_rules_that_begin_with_each_other_are_taken_unless_the_ways_multiply() -> None:
    check_grammar(chain(2_000, "{0}"))
    check_grammar(chain(7, '{0} "x" | {0} "y"'))
    with pytest.raises(GrammarError, match="more than 128 ways"):
        check_grammar(chain(9, '{0} "x" | {0} "y"'))
    with pytest.raises(GrammarError, match="too many other rules"):
        check_grammar(chain(60, '{0} "x" | {0} "y"'))


@given(st.text(st.sampled_from('root :=\n"[](|)*+?{}0123,.-^\\#x<>!a'), max_size=60))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        check_grammar(text)
    except GrammarError as error:
        lines = text.split("\n")
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
