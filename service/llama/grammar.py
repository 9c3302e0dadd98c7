"""llama.cpp's grammars, guarded.

The library ends the process if it has to accept a token that the grammar does not allow, and its own test does not
find all of these: it may read bytes that are no UTF-8 as the character NUL, which it takes for the end of the token;
and it tests control tokens by their names. So tokens without bytes, and tokens that would make the text invalid UTF-8,
are refused here. For ambiguous grammars long tokens are refused, too: testing them would take too long, and shorter
ones can say the same.
"""

from __future__ import annotations

import codecs
import ctypes
import weakref
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from service.sampling.gbnf import GrammarError, check_grammar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.engine.language_model import Logits
    from service.llama.host.library import Library, Pointer

_ROOT = b"root"
#: ``llama_token_data``.
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])

#: Token ids, shape (n,).
Tokens = npt.NDArray[np.int32]


class GrammarTokens:
    """Facts about a vocabulary that all of its grammars share.

    Attributes:
        bytes_by_token: bytes of each token, by its id; empty for control tokens.
        eog: end-of-generation tokens, as in the library.
        is_beginning: whether a token's bytes may follow a complete character, shape (n_vocab,).
        continuing: tokens that begin in the middle of a character; there are few.
    """

    def __init__(self, bytes_by_token: Sequence[bytes], eog: frozenset[int]) -> None:
        self.bytes_by_token = bytes_by_token
        self.eog = eog
        others = [token for token, data in enumerate(bytes_by_token) if data and token not in eog]
        self.continuing = [token for token in others if 0x80 <= bytes_by_token[token][0] < 0xC0]
        beginning = [token for token in others if pending_bytes(bytes_by_token[token]) is not None]
        self.is_beginning = np.zeros(len(bytes_by_token), np.bool_)
        self.is_beginning[beginning] = True
        self._beginning = np.array(beginning, np.int32)
        self._first_bytes = np.array([bytes_by_token[token][0] for token in beginning], np.uint8)
        self._lengths = np.array([len(bytes_by_token[token]) for token in beginning], np.int64)
        self._bytes = np.array([token for token in beginning if len(bytes_by_token[token]) == 1], np.int32)
        self._eog = np.array(sorted(eog), np.int32)
        self._room = np.zeros(len(bytes_by_token), _CANDIDATE)

    def candidates(self, pending: bytes, longest: int, allowed: Callable[[Tokens], Tokens]) -> Tokens:
        """Tokens that a grammar may allow: all but those that surely do not fit.

        Args:
            pending: bytes of an incomplete character at the end of the text.
            longest: most bytes of a token.
            allowed: gives those of some tokens that the grammar allows.
        """
        if pending:
            continuing = [
                token for token in self.continuing if pending_bytes(pending + self.bytes_by_token[token]) is not None
            ]
            return np.array([token for token in continuing if len(self.bytes_by_token[token]) <= longest], np.int32)
        # A token is not allowed if its first byte is not allowed as a token of its own.
        may_begin = np.ones(256, np.bool_)
        may_begin[self._byte(self._bytes)] = False
        may_begin[self._byte(allowed(self._bytes))] = True
        fits = may_begin[self._first_bytes] & (self._lengths <= longest)
        return np.concatenate([self._beginning[fits], self._eog])

    def room(self, tokens: Tokens) -> npt.NDArray[np.void]:
        """The library's array of candidates for some tokens, with logits of 0; valid until the next call."""
        room = self._room[: len(tokens)]
        room["id"] = tokens
        room["logit"] = 0.0
        return room

    def _byte(self, tokens: Tokens) -> list[int]:
        return [self.bytes_by_token[token][0] for token in tokens.tolist()]


def pending_bytes(data: bytes) -> bytes | None:
    """The incomplete character at the end of some bytes; None if they are no UTF-8, or hold the character NUL."""
    if b"\0" in data:
        return None
    if data.isascii():
        return b""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(data)
    except UnicodeDecodeError:
        return None
    pending = decoder.getstate()[0]
    # A surrogate, of which Python complains only when it is complete.
    return None if pending[:1] == b"\xed" and pending[1:] >= b"\xa0" else pending


class LlamaGrammar:
    """A ``Grammar`` on llama.cpp. Belongs to the model's thread, and must be closed before the model.

    Args:
        library: the library.
        vocabulary: the model's vocabulary in it.
        tokens: facts about that vocabulary.
        text: GBNF.

    Raises:
        GrammarError: the grammar cannot be used.
    """

    def __init__(self, library: Library, vocabulary: Pointer, tokens: GrammarTokens, text: str) -> None:
        self._longest = check_grammar(text)
        api = library.api
        # Parsing a grammar of JSON takes 35 us, so nothing would be gained by keeping parsed ones and copying these.
        with library.log.collect_errors() as errors:
            pointer: Pointer | None = api.llama_sampler_init_grammar(vocabulary, text.encode(), _ROOT)
        if not pointer:
            raise GrammarError(1, 1, f"llama.cpp refuses the grammar: {'; '.join(errors) or 'it gives no reason'}")
        self._pointer = pointer
        self._free = weakref.finalize(self, api.llama_sampler_free, pointer)
        self._api = api
        self._short = library.short
        self._tokens = tokens
        self._pending = b""
        self._one = np.zeros(1, _CANDIDATE)
        self._one_array = self._array(self._one)

    def allows(self, token: int) -> bool:
        """Whether a token may come next."""
        if token not in self._tokens.eog and not self._is_text(token):
            return False
        self._one[0] = (token, 0.0, 0.0)
        self._short.sampler_apply(self._pointer, ctypes.addressof(self._one_array))
        return bool(self._one["logit"][0] == 0.0)

    def mask(self, logits: Logits) -> None:
        """Ban all tokens that may not come next. Releases the GIL: 0.2 to 10 ms for 49,152 tokens of English."""
        tokens = self._tokens.candidates(self._pending, self._longest, self._allowed)
        tokens = self._allowed(tokens[logits[tokens] > -np.inf])
        kept = logits[tokens]
        logits.fill(-np.inf)
        logits[tokens] = kept

    def accept(self, token: int) -> None:
        """Go on by a token."""
        # The library ends the process if the token is wrong, so this is tested again; it takes 2 us.
        if token in self._tokens.eog or not self.allows(token):
            raise ValueError(f"token {token} ends the text, or the grammar does not allow it here")
        pending = pending_bytes(self._pending + self._tokens.bytes_by_token[token])
        assert pending is not None
        self._short.sampler_accept(self._pointer, token)
        self._pending = pending

    def close(self) -> None:
        """Free the library's grammar."""
        self._free()
        self._pointer = 0

    def _is_text(self, token: int) -> bool:
        """Whether a token has bytes, and the text behind it is still UTF-8."""
        data = self._tokens.bytes_by_token[token]
        if len(data) > self._longest:
            return False
        if not self._pending:
            return bool(self._tokens.is_beginning[token])
        return bool(data) and pending_bytes(self._pending + data) is not None

    def _allowed(self, tokens: Tokens) -> Tokens:
        """Those of some tokens that the library allows."""
        room = self._tokens.room(tokens)
        self._api.llama_sampler_apply(self._pointer, ctypes.byref(self._array(room)))
        is_allowed: npt.NDArray[np.bool_] = room["logit"] == 0.0
        return tokens[is_allowed]

    def _array(self, room: npt.NDArray[np.void]) -> ctypes.Structure:
        data = ctypes.cast(room.ctypes.data, ctypes.POINTER(self._api.llama_token_data))
        array: ctypes.Structure = self._api.llama_token_data_array(data, len(room), -1, False)
        return array
