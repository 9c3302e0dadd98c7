"""Grammars over a vocabulary of words, pieces of characters and control tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from service.constraints.grammar import CompiledGrammar, LarkGrammar
from service.constraints.lark import whole_grammar
from service.constraints.spec import ConstraintKind, ConstraintSpec, JsonStyle, UnusableConstraint
from service.constraints.tokenizer import build_tokenizer
from service.sampling.grammar import GrammarFailed


@dataclass(frozen=True)
class WordVocabulary:
    """All bytes, then words, the same word again, pieces of characters, and control tokens."""

    words: tuple[bytes, ...] = (b"yes", b"ye", b'{"', b'": ', b"}}", "日本".encode(), b"\xe6\x97", b"yes")
    controls: tuple[bytes, ...] = (b"<end>", b"<turn>", b"<tool>", b"")
    #: Two of the control tokens, and one that has a text.
    eog_tokens: frozenset[int] = field(default=frozenset({264, 265, 256}))

    @property
    def n_vocab(self) -> int:
        return 256 + len(self.words) + len(self.controls)

    def token_bytes(self, token: int, special: bool = False) -> bytes:
        if token < 256:
            return bytes([token])
        if token < 256 + len(self.words):
            return self.words[token - 256]
        return self.controls[token - 256 - len(self.words)] if special else b""


VOCABULARY = WordVocabulary(eog_tokens=frozenset({264, 265}))
YES, YE, BRACE, _, _, JAPAN, PART, YES_AGAIN = range(256, 264)
END, TURN, TOOL, NAMELESS = range(264, 268)


def compiled(spec: ConstraintSpec, vocabulary: WordVocabulary = VOCABULARY) -> CompiledGrammar:
    return CompiledGrammar(build_tokenizer(vocabulary), vocabulary.eog_tokens, whole_grammar(spec))


def lark(text: str) -> LarkGrammar:
    return compiled(ConstraintSpec(ConstraintKind.LARK, text)).start()


def allowed(grammar: LarkGrammar) -> set[int]:
    """What may come next, by the mask and by tests of all tokens."""
    tokens = set(grammar.allowed().tolist())
    assert tokens == {token for token in range(VOCABULARY.n_vocab) if grammar.allows(token)}
    return tokens


def test_tokens_of_any_length_fit_if_their_text_does() -> None:
    grammar = lark('start: "yes" "ye" | "y!"')
    assert allowed(grammar) == {ord("y"), YE, YES, YES_AGAIN}
    grammar.accept(YES)
    assert allowed(grammar) == {ord("y"), YE}
    grammar.accept(YE)
    assert allowed(grammar) == {END, TURN}


def test_text_is_not_forced_upon_the_model() -> None:
    """Only one text is possible, but the model may divide it into tokens as it likes."""
    grammar = lark('%llguidance {"no_forcing": false}\nstart: "yes"')
    assert allowed(grammar) == {ord("y"), YE, YES, YES_AGAIN}


def test_characters_may_be_made_of_pieces_and_are_never_broken() -> None:
    grammar = lark("start: /[^a]/ /本/")
    assert {PART, JAPAN} <= allowed(grammar)
    # What continues a character, begins none, or is in no character.
    assert not allowed(grammar) & {0x97, 0x80, 0xC0, 0xFF, ord("a")}
    grammar.accept(PART)
    assert allowed(grammar) == set(range(0x80, 0xC0))


def test_control_tokens_fit_where_they_are_named_and_nowhere_else() -> None:
    grammar = lark('start: /(.|\n)*/ <tool> "x" <[265]>')
    assert TOOL in allowed(grammar)
    assert not allowed(grammar) & {END, TURN, NAMELESS}
    grammar.accept(TOOL)
    grammar.accept(ord("x"))
    # An end of the text that the grammar wants, and no other one.
    assert allowed(grammar) == {TURN}


def test_names_of_control_tokens_are_text_like_any_other() -> None:
    grammar = lark('start: "<end>"')
    assert allowed(grammar) == {ord("<")}


def test_an_end_of_the_text_that_has_a_text_is_an_end_only() -> None:
    vocabulary = WordVocabulary(eog_tokens=frozenset({YES, END}))
    grammar = compiled(ConstraintSpec.choice(["yes"]), vocabulary).start()
    assert set(grammar.allowed().tolist()) == {ord("y"), YE, YES_AGAIN}
    assert not grammar.allows(YES)
    grammar.accept(YES_AGAIN)
    assert set(grammar.allowed().tolist()) == {YES, END}


def test_a_text_may_end_where_it_may_go_on() -> None:
    grammar = lark("start: /a*/")
    assert allowed(grammar) == {ord("a"), END, TURN}


@pytest.mark.parametrize("kind", [ConstraintKind.JSON_OBJECT, ConstraintKind.JSON_SCHEMA])
def test_white_space_has_an_end(kind: ConstraintKind) -> None:
    spec = ConstraintSpec(kind, '{"type":"object"}' if kind is ConstraintKind.JSON_SCHEMA else "")
    grammar = compiled(spec).start()
    for byte in b"{\n" + b" " * 20:
        grammar.accept(byte)
    assert not grammar.allows(ord(" "))
    assert not grammar.allows(ord("\n"))
    assert grammar.allows(ord('"'))


def test_any_object_has_numbers_with_an_end() -> None:
    grammar = compiled(ConstraintSpec(ConstraintKind.JSON_OBJECT, style=JsonStyle(disable_any_whitespace=True))).start()
    for byte in b'{"a":' + b"1" * 16:
        grammar.accept(byte)
    assert allowed(grammar) == {*b".eE,}"}


def test_a_grammar_that_has_no_way_on_fails_and_does_not_end() -> None:
    """No token has the bytes of this character's end, as the vocabulary lacks them."""
    vocabulary = WordVocabulary(words=(), controls=(b"<end>",), eog_tokens=frozenset({256}))
    bytes_without = {token: b"" if token == 0xAC else bytes([token]) for token in range(256)}

    class Lacking(WordVocabulary):
        def token_bytes(self, token: int, special: bool = False) -> bytes:
            return b"<end>" if token == 256 and special else bytes_without.get(token, b"")

    lacking = Lacking(vocabulary.words, vocabulary.controls, vocabulary.eog_tokens)
    grammar = compiled(ConstraintSpec.choice(["x€", "y"]), lacking).start()
    for byte in b"x\xe2\x82":
        grammar.accept(byte)
    with pytest.raises(GrammarFailed, match="allows nothing"):
        grammar.mask(np.zeros(257, np.float32))
    # A failed one never says that the text may end.
    for call in (lambda: grammar.allows(256), lambda: grammar.accept(ord("x")), grammar.allowed):
        with pytest.raises(GrammarFailed):
            call()


def repeat(grammar: LarkGrammar, token: int, times: int) -> None:
    for _ in range(times):
        grammar.accept(token)


def test_a_step_that_takes_too_much_fails() -> None:
    grammar = lark("start: a{1,100000}\na: b{1,100000}\nb: /x/{1,100000}\n")
    with pytest.raises(GrammarFailed, match="Current row has"):
        repeat(grammar, ord("x"), 1000)


@pytest.mark.parametrize(
    "spec",
    [
        ConstraintSpec(ConstraintKind.JSON_SCHEMA, '{"$ref":"#"}'),
        ConstraintSpec(ConstraintKind.LARK, 'start: a\na: a "x"'),
    ],
)
def test_what_no_text_obeys_is_refused_at_once(spec: ConstraintSpec) -> None:
    with pytest.raises(UnusableConstraint, match="allows nothing: no text can obey it"):
        compiled(spec)


def test_a_closed_grammar_says_so() -> None:
    grammar = lark('start: "a"')
    grammar.close()
    with pytest.raises(ValueError, match="the grammar is closed"):
        grammar.allows(ord("a"))
