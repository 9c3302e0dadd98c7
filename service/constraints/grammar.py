"""Compiled constraints, and outputs that follow them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer

from service.constraints.spec import UnusableConstraint
from service.sampling.grammar import GrammarFailed

if TYPE_CHECKING:
    import numpy.typing as npt

    from service.sampling.grammar import GrammarMaker

#: "Fuel" for compiling; the library compares it with the size of the expressions that a grammar consists of. Enough for
#: an enum of 24,000 texts; compiling took at most 2 s until it was used up.
INITIAL_FUEL = 400_000
#: What the library says of a state in which no token fits and the text may not end.
_NOTHING_FITS = "NoExtensionBias"
#: Characters of a message of the library that are passed on; it repeats what was sent.
_MOST_OF_A_REASON = 300
#: What one step may take: some 10 ms at most.
STEP_FUEL = 100_000
#: States that following a grammar may find, of 1 to 2 kB each; they are kept for all that follow it.
MAX_STATES = 20_000


class CompiledGrammar:
    """A grammar for one vocabulary, at its beginning.

    Args:
        tokenizer: the vocabulary.
        eog_tokens: tokens that end the text.
        text: Lark.

    Attributes:
        cost_s: processor time that it took, in seconds; a second stands for up to 300 MB of memory.

    Raises:
        UnusableConstraint: the library cannot use it, or it takes more than it may.
    """

    def __init__(self, tokenizer: LLTokenizer, eog_tokens: frozenset[int], text: str) -> None:
        limits = LLParserLimits(
            initial_lexer_fuel=INITIAL_FUEL,
            step_lexer_fuel=STEP_FUEL,
            max_lexer_states=MAX_STATES,
            verbose_errors=False,
        )
        began_s = time.thread_time()
        self._matcher = LLMatcher(tokenizer, text, log_level=0, limits=limits)
        self._n_vocab = tokenizer.vocab_size
        self._eog_tokens = eog_tokens
        if self._matcher.is_error():
            raise UnusableConstraint(_reason(self._matcher))
        self._try_out()
        self.cost_s = time.thread_time() - began_s

    def start(self) -> LarkGrammar:
        """A copy at the beginning, which shares what is known of the grammar's states."""
        return LarkGrammar(self._matcher.deep_copy(), self._eog_tokens, self._n_vocab)

    def _try_out(self) -> None:
        """Take the first step here, where nobody waits for it: some grammars fail in it, and all learn from it."""
        attempt = self.start()
        try:
            first = next((token for token in attempt.allowed().tolist() if token not in self._eog_tokens), None)
            if first is not None:
                attempt.accept(first)
        except GrammarFailed as error:
            raise UnusableConstraint(str(error)) from None


class LarkGrammar:
    """A ``Grammar`` on llguidance.

    Args:
        matcher: at the beginning.
        eog_tokens: tokens that end the text.
        n_vocab: tokens of the vocabulary.
    """

    def __init__(self, matcher: LLMatcher, eog_tokens: frozenset[int], n_vocab: int) -> None:
        self._matcher: LLMatcher | None = matcher
        self._eog_tokens = eog_tokens
        self._n_vocab = n_vocab
        #: What may not come next, once it is known.
        self._banned: npt.NDArray[np.bool_] | None = None

    def allows(self, token: int) -> bool:
        """Whether a token may come next; takes 1 us, but for ends of the text that come too early."""
        matcher = self._open()
        if token not in self._eog_tokens:
            return bool(matcher.validate_tokens([token]) == 1)
        # A matcher that has failed has stopped, too. A grammar may want this very token, which only the mask tells.
        if matcher.is_accepting() or (matcher.is_stopped() and not matcher.is_error()):
            return True
        return not self._mask()[token]

    def mask(self, logits: npt.NDArray[np.float32]) -> None:
        """Ban all tokens that may not come next. Releases the GIL: 20 to 100 us, and up to 10 ms for bad grammars."""
        logits[self._mask()] = -np.inf

    def allowed(self) -> npt.NDArray[np.intp]:
        """The tokens that may come next, ascending."""
        return np.flatnonzero(~self._mask())

    def accept(self, token: int) -> None:
        """Go on by a token."""
        matcher = self._open()
        if token in self._eog_tokens or matcher.validate_tokens([token]) != 1:
            if matcher.is_error():
                raise GrammarFailed(_reason(matcher))
            raise ValueError(f"token {token} ends the text, or the grammar does not allow it here")
        self._banned = None
        # A matcher that has failed would mask everything but the end of the text.
        if not matcher.consume_token(token) or matcher.is_error():
            raise GrammarFailed(_reason(matcher))

    def close(self) -> None:
        """Free the matcher."""
        self._matcher = self._banned = None

    def _open(self) -> LLMatcher:
        if self._matcher is None:
            raise ValueError("the grammar is closed")
        return self._matcher

    def _mask(self) -> npt.NDArray[np.bool_]:
        if self._banned is None:
            matcher = self._open()
            words = np.empty((self._n_vocab + 31) // 32, np.uint32)
            matcher.unsafe_compute_mask_ptr(words.ctypes.data, words.nbytes)
            if matcher.is_error():
                raise GrammarFailed(_reason(matcher))
            bits = np.unpackbits(words.view(np.uint8), count=self._n_vocab, bitorder="little")
            self._banned = bits == 0
        return self._banned


@dataclass(frozen=True, slots=True)
class LarkGuide:
    """A ``Guide`` for what llguidance has compiled.

    Attributes:
        grammar: compiled.
        field: path of the field in the request that it comes from.
        gbnf: empty.
    """

    grammar: CompiledGrammar
    field: str
    gbnf: str = ""

    def start(self, vocabulary: GrammarMaker | None = None) -> LarkGrammar:
        """A new grammar at its beginning; takes 2 us."""
        return self.grammar.start()


def _reason(matcher: LLMatcher) -> str:
    """Why a matcher has failed."""
    return reason_of(matcher.get_error())


def reason_of(message: str) -> str:
    """A message of the library without the grammar, which it shows."""
    lines = message.splitlines()
    if not lines:
        return "it cannot be followed"
    if lines[0].startswith(_NOTHING_FITS):
        return "allows nothing: no text can obey it"
    # "at 2(8): failed to compile JSON schema: ..." names a place in a grammar that nobody has written.
    reason = lines[0].rpartition("failed to compile JSON schema: ")[2]
    if reason.endswith("regex parse error:"):
        reason += "".join(line.removeprefix("error:") for line in lines if line.startswith("error: "))
    return reason[:_MOST_OF_A_REASON]
