"""How long the expressions of terminals are, whatever a grammar does to hide it."""

from __future__ import annotations

import pytest

from service.constraints.lark import check_lark
from service.constraints.lark_size import longest_expression, terminal_lengths


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ('A: "xy"', {"A": 4}),
        ("A: /x+/i\nstart: A A A", {"A": 4}),
        ('A: "x" B B\nB: "yy"', {"A": 11, "B": 4}),
        ('B: "yy"\nA: B~3 | B', {"A": 8, "B": 4}),
        # Names in literals, expressions, comments and names of tokens are none.
        ('A: "B: B" /B:\nB/ // B B\n  B # B\nB: "y"\nstart: <|B:B|> A', {"A": 15, "B": 3}),
        ('A.5: "x"\n_B[lazy]: "y" A\nC-D [stop="x"]: _B', {"A": 3, "_B": 6, "C-D": 6}),
        # The library divides it in the same way: B, and then c.
        ('A: Bc\nB: "xxx"', {"A": 5, "B": 5}),
        # What means itself is for the library to refuse.
        ('A: "x" B\nB: "y" A', {"A": 7, "B": 4}),
        ("A: UNKNOWN", {"A": 1}),
        ('start: %json {"A": "B"}\nA: "x"', {"A": 3}),
        ("", {}),
    ],
)
def test_lengths_of_terminals(text: str, lengths: dict[str, int]) -> None:
    assert terminal_lengths(text) == lengths


def test_many_terminals_are_no_burden() -> None:
    chain = "\n".join(f"A{number}: A{number + 1}" for number in range(3000))
    assert terminal_lengths(f'{chain}\nA3000: "x"')["A0"] == 3
    doubling = "\n".join(f"A{number}: A{number + 1} A{number + 1}" for number in range(60))
    assert terminal_lengths(f'{doubling}\nA60: "x"')["A0"] == 3 * 2**60


def test_comments_are_no_expressions() -> None:
    text = "// a comment\n" + "start: A // of a rule\nA: /x/\n# /" + "y" * 20_000 + "\n// another"
    assert longest_expression(text) == 3
    check_lark(text)


def test_a_usual_grammar_is_accepted() -> None:
    keywords = " | ".join(f'"keyword{number}"' for number in range(400))
    check_lark(
        f"start: (KEYWORD | NAME | NUMBER | STRING | WS)+\nKEYWORD: {keywords}\nNAME: /[a-zA-Z_]\\w*/\n"
        'NUMBER: /[0-9]+(\\.[0-9]+)?/\nSTRING: /"([^"\\\\]|\\\\.)*"/\nWS: /[ \\t\\n]+/'
    )
