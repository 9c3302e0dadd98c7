"""llama.cpp's grammars behind their guard. The tiny model's tokens are single bytes, but for one."""

from __future__ import annotations

import itertools
import json
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.llama.grammar import GrammarTokens, pending_bytes
from service.sampling.gbnf import GrammarError, check_grammar
from tests.support.gbnf_samples import JSON_OBJECT
from tests.support.grammar_probe import GrammarProbe, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.llama.llama_model import LlamaModel


def allowed(model: LlamaModel, text: str, said: bytes = b"") -> set[bytes]:
    """Pieces of the tokens that may follow some bytes; empty for the end."""
    grammar = model.vocabulary.grammar(text)
    for byte in said:
        grammar.accept(byte_token(model, byte))
    row = np.zeros(model.info.n_vocab, np.float32)
    grammar.mask(row)
    tokens = {int(token) for token in np.flatnonzero(row == 0)}
    assert tokens == {token for token in range(model.info.n_vocab) if grammar.allows(token)}
    grammar.close()
    return {b"" if token in model.info.eog_tokens else model.vocabulary.token_bytes(token) for token in tokens}


def byte_token(model: LlamaModel, byte: int) -> int:
    return model.vocabulary.bytes_by_token.index(bytes([byte]))


def in_bytes(*ranges: tuple[int, int]) -> set[bytes]:
    return {bytes([byte]) for first, last in ranges for byte in range(first, last + 1)}


def test_a_class_of_wide_characters_takes_them_byte_by_byte(tiny: LlamaModel) -> None:
    grammar = 'root ::= [ж-я] [^x] "é" | "😀"'
    assert allowed(tiny, grammar) == {b"\xd0", b"\xd1", b"\xf0"}
    assert allowed(tiny, grammar, b"\xd0") == in_bytes((0xB6, 0xBF))
    assert allowed(tiny, grammar, b"\xd1") == in_bytes((0x80, 0x8F))
    assert allowed(tiny, grammar, b"\xf0\x9f\x98") == {b"\x80"}
    assert allowed(tiny, grammar, b"\xf0\x9f\x98\x80") == {b""}
    assert allowed(tiny, grammar, "яy".encode()) == {b"\xc3"}


def test_what_is_no_utf8_is_never_allowed(tiny: LlamaModel) -> None:
    grammar = "root ::= .* [\\u0800-\\uffff]"
    assert not allowed(tiny, grammar) & in_bytes((0x00, 0x00), (0x80, 0xC1), (0xF5, 0xFF))
    assert allowed(tiny, grammar, b"\xe0") == in_bytes((0xA0, 0xBF))
    assert allowed(tiny, grammar, b"\xed") == in_bytes((0x80, 0x9F))
    assert allowed(tiny, grammar, b"\xf0") == in_bytes((0x90, 0xBF))


def test_control_tokens_are_not_allowed_by_their_names(tiny: LlamaModel) -> None:
    names = [tiny.vocabulary.token_bytes(token, special=True) for token in range(tiny.info.n_vocab)]
    control = names.index(b"<|im_start|>")
    grammar = tiny.vocabulary.grammar('root ::= "<|im_start|>" | .*')
    row = np.zeros(tiny.info.n_vocab, np.float32)
    grammar.mask(row)
    assert row[control] == -np.inf
    assert not grammar.allows(control)
    with pytest.raises(ValueError, match=f"token {control} ends the text"):
        grammar.accept(control)
    assert grammar.allows(byte_token(tiny, ord("<")))
    grammar.close()


def test_long_tokens_are_kept_from_ambiguous_grammars_only() -> None:
    tokens = GrammarTokens([b"", b"a", b"a" * 30, b"\x9f", b"\xf0"], frozenset({0}))
    assert tokens.candidates(b"", 12, lambda some: some).tolist() == [1, 4, 0]
    assert tokens.candidates(b"", 30, lambda some: some).tolist() == [1, 2, 4, 0]
    assert tokens.candidates(b"\xf0", 12, lambda some: some).tolist() == [3]


@pytest.mark.parametrize(
    ("data", "pending"),
    [
        (b"", b""),
        (b"abc", b""),
        ("é".encode(), b""),
        (b"a\xf0\x9f", b"\xf0\x9f"),
        (b"a\0", None),
        (b"\x80", None),
        (b"\xc0", None),
        (b"\xe0\x80", None),
        (b"\xed\xa0", None),
        (b"\xe2\x82a", None),
    ],
)
def test_pending_bytes(data: bytes, pending: bytes | None) -> None:
    assert pending_bytes(data) == pending


def test_an_ambiguous_grammar_still_says_everything(tiny: LlamaModel) -> None:
    grammar = tiny.vocabulary.grammar('root ::= ([a-z]+)+ "!"')
    for byte in b"abcdefghijklmnopqrstuvwxyz!":
        grammar.accept(byte_token(tiny, byte))
    assert all(grammar.allows(token) for token in tiny.info.eog_tokens)
    grammar.close()


def test_any_way_through_a_grammar_of_json_is_json(tiny: LlamaModel) -> None:
    source = random.Random(1)
    n_complete = 0
    for _ in range(20):
        grammar = tiny.vocabulary.grammar(JSON_OBJECT)
        said = b""
        # The closing tokens come first more often than not, so that texts end.
        preferred = [byte_token(tiny, byte) for byte in b'"}]:1,']
        for _ in range(400):
            row = np.zeros(tiny.info.n_vocab, np.float32)
            grammar.mask(row)
            tokens = [int(token) for token in np.flatnonzero(row == 0)]
            if tiny.info.eog_tokens & set(tokens):
                n_complete += 1
                assert isinstance(json.loads(said), dict)
                break
            likely = [token for token in preferred if token in tokens]
            token = source.choice(likely) if likely and source.random() < 0.8 else source.choice(tokens)
            grammar.accept(token)
            said += tiny.vocabulary.token_bytes(token)
        grammar.close()
    assert n_complete > 0


# What the library makes of grammars, in a process that it may end.


@pytest.fixture(scope="module")
def probe(tiny_path: Path) -> Iterator[GrammarProbe]:
    with GrammarProbe(tiny_path) as running:
        yield running


def test_the_probe_notices_what_becomes_of_a_grammar(tiny_path: Path) -> None:
    with GrammarProbe(tiny_path, timeout_s=2.0) as impatient:
        assert impatient.parse('root ::= "a"') is Outcome.ACCEPTED
        assert impatient.parse('root ::= "a') is Outcome.REFUSED
        assert impatient.parse("root ::= " + "(" * 200_000) is Outcome.CRASHED
        assert impatient.parse('root ::= "a"{3,2}') in (Outcome.HUNG, Outcome.CRASHED)
        assert impatient.parse('root ::= "a"') is Outcome.ACCEPTED


@pytest.mark.parametrize(
    "text",
    [
        JSON_OBJECT,
        "root ::= ",
        "root ::= [] | [^]",
        "root ::= " + "(" * 200 + '"a"' + ")" * 200,
        "\n".join(["root ::= r0", *(f"r{n} ::= r{n + 1}" for n in range(3000)), 'r3000 ::= "z"']),
        'root ::= (maybe)* "b"\nmaybe ::= other\nother ::= "a" |',
        'root ::= "x"?{0,64}',
        'root ::= "x"{2000} "y"{0,2000}',
        'root ::= ("x"{2000} | "y"{2000})',
        r'root ::= "\x00" | "a" "\U00110000" | [z-a]',
        'root ::= "' + "é" * 20_000 + '"{3}',
    ],
)
def test_the_library_survives_extremes_that_the_check_takes(probe: GrammarProbe, text: str) -> None:
    check_grammar(text)
    assert probe.parse(text) is Outcome.ACCEPTED
    assert probe.walk(text) is Outcome.ACCEPTED


NAMES = ("root", "a", "b", "c")
SYMBOLS = st.sampled_from(
    ('"x"', '"ab"', '""', "[a-c]", "[^x]", ".", '"\\n"', "[]", '"é"', "[\\u0800-\\uffff]", '"\\x00"', *NAMES)
)
OPERATORS = st.sampled_from(("", "", "", "", "*", "+", "?", "{2}", "{0,3}", "{1,}", "{0}", "{3,1}", "{40,50}", "?*"))


def alternatives(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sequence = st.lists(st.tuples(items, OPERATORS).map("".join), max_size=3).map(" ".join)
    return st.lists(sequence, min_size=1, max_size=3).map(" | ".join)


ALTERNATIVES = alternatives(st.recursive(SYMBOLS, lambda inner: alternatives(inner).map("({})".format), max_leaves=6))
GRAMMARS = st.lists(ALTERNATIVES, min_size=4, max_size=4).map(
    lambda bodies: "\n".join(f"{name} ::= {body}" for name, body in zip(NAMES, bodies, strict=True))
)
EDITS = st.lists(
    st.tuples(st.integers(0, 200), st.booleans(), st.sampled_from('"[]()|*+?{},.:=<>!\\#\n\r \t09azé-^_')), max_size=3
)


def edited(grammar: str, edits: list[tuple[int, bool, str]]) -> str:
    """The grammar with characters removed or added."""
    for place, is_removed, character in edits:
        place %= len(grammar) + 1
        grammar = grammar[:place] + ("" if is_removed else character) + grammar[place + is_removed :]
    return grammar


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grammar=GRAMMARS, edits=EDITS)
def test_the_library_survives_whatever_the_check_takes(
    probe: GrammarProbe, grammar: str, edits: list[tuple[int, bool, str]]
) -> None:
    text = edited(grammar, edits)
    try:
        check_grammar(text)
    except GrammarError:
        return
    assert probe.parse(text) is Outcome.ACCEPTED
    assert probe.walk(text) is Outcome.ACCEPTED


@pytest.mark.parametrize("removed", range(0, len(JSON_OBJECT), 23))
def test_the_check_takes_the_syntax_that_the_library_takes(probe: GrammarProbe, removed: int) -> None:
    text = JSON_OBJECT[:removed] + JSON_OBJECT[removed + 1 :]
    try:
        check_grammar(text)
    except GrammarError:
        assert probe.parse(text) is Outcome.REFUSED
    else:
        assert probe.parse(text) is Outcome.ACCEPTED


def test_all_single_edits_are_judged_alike(probe: GrammarProbe) -> None:
    outcomes = set()
    for place, character in itertools.product(range(40), '"]({*\n'):
        text = ('root ::= "a" [b-c]+ (d | "e"){1,2}\nd ::= "f"?')[:place] + character
        text += ('root ::= "a" [b-c]+ (d | "e"){1,2}\nd ::= "f"?')[place:]
        try:
            check_grammar(text)
            expected = Outcome.ACCEPTED
        except GrammarError:
            expected = Outcome.REFUSED
        assert probe.parse(text) is expected, text
        outcomes.add(expected)
    assert outcomes == {Outcome.ACCEPTED, Outcome.REFUSED}
