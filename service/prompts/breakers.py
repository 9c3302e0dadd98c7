"""Texts that break repetitions, as sequences of tokens that may hold them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from service.prompts.vocabulary import Vocabulary

#: Bytes of a text that count, and tokens of what follows its first one.
MAX_BYTES, MAX_TAIL = 40, 20
#: Lists of texts that are remembered.
_MOST_KEPT = 16


class BreakerFinder:
    """Finds the tokens that texts may be written with; any thread.

    Takes some 10 ms per text for 49,152 tokens, so lists of texts are remembered.

    Args:
        vocabulary: of the model.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._words: list[bytes] = []
        #: Tokens by the last byte of their text.
        self._by_last: dict[int, list[int]] = {}
        self._kept: OrderedDict[tuple[str, ...], Mapping[int, tuple[tuple[int, ...], ...]]] = OrderedDict()

    def find(self, texts: tuple[str, ...]) -> Mapping[int, tuple[tuple[int, ...], ...]]:
        """The sequences by their first token: each is what follows it, nothing if it has the whole text in it.

        Args:
            texts: empty ones are ignored, and of long ones only the beginning counts.
        """
        with self._lock:
            found = self._kept.get(texts)
            if found is None:
                found = self._kept[texts] = self._find(texts)
            self._kept.move_to_end(texts)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
            return found

    def _find(self, texts: tuple[str, ...]) -> Mapping[int, tuple[tuple[int, ...], ...]]:
        if not self._words:
            tokens = range(self._vocabulary.n_vocab)
            self._words = [self._vocabulary.token_bytes(token, special=True) for token in tokens]
            for token, word in enumerate(self._words):
                if word:
                    self._by_last.setdefault(word[-1], []).append(token)
        tails: dict[int, dict[tuple[int, ...], None]] = {}
        for text in texts:
            for token, tail in self._tails(text.encode()[:MAX_BYTES]):
                tails.setdefault(token, {})[tail] = None
        return {token: tuple(found) for token, found in tails.items()}

    def _tails(self, text: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Tokens that hold the text or end with the beginning of it, and what then follows them."""
        if not text:
            return
        for token, word in enumerate(self._words):
            if text in word:
                yield token, ()
        for n_bytes in range(1, len(text)):
            tail: tuple[int, ...] | None = None
            for token in self._by_last.get(text[n_bytes - 1], ()):
                word = self._words[token]
                if word.endswith(text[:n_bytes]) and text not in word:
                    if tail is None:
                        rest = text[n_bytes:].decode(errors="ignore")
                        tail = tuple(self._vocabulary.tokenize(rest, parse_special=False)[:MAX_TAIL])
                    yield token, tail


class NoBreakers(BreakerFinder):
    """Finds none, in no time: for settings that are shown and that nothing is generated with."""

    def find(self, texts: tuple[str, ...]) -> Mapping[int, tuple[tuple[int, ...], ...]]:
        return {}
