"""A model's vocabulary as llguidance wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llguidance import LLTokenizer, TokenizerWrapper

if TYPE_CHECKING:
    from collections.abc import Set


_MARK = b"\xff"


class TokenTable(Protocol):
    """What is needed of a vocabulary; any thread."""

    @property
    def n_vocab(self) -> int:
        """Number of tokens; ids are 0 to ``n_vocab - 1``."""

    @property
    def eog_tokens(self) -> Set[int]:
        """Tokens at which generation ends; at least one."""

    def token_bytes(self, token: int, special: bool = False) -> bytes:
        """Bytes of a token; control tokens have none unless ``special`` asks for their names."""


def build_tokenizer(vocabulary: TokenTable) -> LLTokenizer:
    """The library's view of a vocabulary. Holds the GIL: 0.1 s for 49,152 tokens, 0.9 s for 262,144.

    Tokens that end the text and those without bytes are special: no text matches them, and grammars reach them by name.
    """
    eog_tokens = sorted(vocabulary.eog_tokens)
    texts, special = [], list(eog_tokens)
    for token in range(vocabulary.n_vocab):
        text = vocabulary.token_bytes(token)
        if token in vocabulary.eog_tokens or not text:
            text = vocabulary.token_bytes(token, special=True)
            if token in vocabulary.eog_tokens:
                # The mark alone would be the beginning of all special tokens.
                text = text or b"<[%d]>" % token
            elif text:
                special.append(token)
        # The library marks what is special by this byte, which is in no text.
        texts.append(b"" if text.startswith(_MARK) else text)
    table = _Table(texts, special, eog_tokens)
    return LLTokenizer(TokenizerWrapper(table), n_vocab=vocabulary.n_vocab, eos_token=eog_tokens)


class _Table:
    """The attributes that ``TokenizerWrapper`` reads."""

    bos_token_id = None

    def __init__(self, tokens: list[bytes], special: list[int], eog_tokens: list[int]) -> None:
        self.tokens = tokens
        self.special_token_ids = special
        self.eog_tokens = eog_tokens
        self.eos_token_id = eog_tokens[0]

    def __call__(self, text: bytes) -> list[int]:
        """Tokens of a text. The library wants them for text that it forces, and is told to force none (``lark``)."""
        return []
