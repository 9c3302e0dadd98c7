"""A model's tokens: text to ids, ids to bytes, and the special ones."""

from __future__ import annotations

import ctypes
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from service.errors import InvalidArgument
from service.llama.cuts import Cutter, Name, Rules, spans_word_end, split_at
from service.llama.grammar import GrammarTokens, LlamaGrammar
from service.llama.runs import cut_long_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.llama.host.library import Library, Pointer

_NO_TOKEN = -1
_MAX_TEXT_BYTES = 2**31 - 1
#: Enough for the bytes of a token of almost all vocabularies; for a longer one the library says how much it needs.
_MAX_TOKEN_BYTES = 256


@dataclass(frozen=True, slots=True)
class FimTokens:
    """The tokens that frame the parts of an infill prompt."""

    prefix: int
    suffix: int
    middle: int
    repository: int | None = None
    file: int | None = None


class LlamaVocabulary:
    """The tokens of a loaded model. Everything but ``close`` may be used from any thread.

    All tokens are decoded once (measured: 49,152 in 45 ms), so that turning them into text never calls the library.

    Attributes:
        kind: how texts become tokens, a number of ``llama_vocab_type``.
        n_vocab: number of tokens; ids are 0 to ``n_vocab - 1``.
        bos_token: beginning of sequence, None if the model has none.
        eos_token: end of sequence, None if the model has none.
        eot_token: end of turn, None if the model has none.
        nl_token: a newline, None if the model has none.
        sep_token: separator, None if the model has none.
        adds_bos: whether prompts of this model begin with BOS; that of a BERT vocabulary is called CLS.
        adds_eos: whether texts of this model are closed with EOS.
        adds_sep: whether texts of this model are closed with SEP instead.
        adds_sep_to_pairs: whether SEP stands between two texts that are scored together.
        eog_tokens: tokens at which generation ends.
        fim_tokens: what infill needs, None unless the model has all three.
        bytes_by_token: bytes of each token, by its id; empty for control tokens.
    """

    def __init__(self, library: Library, pointer: Pointer) -> None:
        api = library.api
        self._library = library
        self._pointer = pointer
        self._users = 0
        self._lock = threading.Condition()
        self.n_vocab: int = api.llama_vocab_n_tokens(pointer)
        self.bos_token = _token(api.llama_vocab_bos(pointer))
        self.eos_token = _token(api.llama_vocab_eos(pointer))
        self.eot_token = _token(api.llama_vocab_eot(pointer))
        self.nl_token = _token(api.llama_vocab_nl(pointer))
        self.kind = kind = int(api.llama_vocab_type(pointer))
        is_wordpiece = kind == api.LLAMA_VOCAB_TYPE_WPM
        # Texts for BERT always stand between CLS and SEP, whatever the metadata says.
        self.adds_bos = (is_wordpiece or bool(api.llama_vocab_get_add_bos(pointer))) and self.bos_token is not None
        self.adds_eos = bool(api.llama_vocab_get_add_eos(pointer)) and self.eos_token is not None
        self.sep_token = _token(api.llama_vocab_sep(pointer))
        self.adds_sep = is_wordpiece and self.sep_token is not None
        self.adds_sep_to_pairs = bool(api.llama_vocab_get_add_sep(pointer)) and self.sep_token is not None
        self._splits_words = kind == api.LLAMA_VOCAB_TYPE_BPE
        is_eog = library.short.vocab_is_eog
        self.eog_tokens = frozenset(token for token in range(self.n_vocab) if is_eog(pointer, token))
        self.fim_tokens = _fim_tokens(
            api.llama_vocab_fim_pre(pointer),
            api.llama_vocab_fim_suf(pointer),
            api.llama_vocab_fim_mid(pointer),
            repository=_token(api.llama_vocab_fim_rep(pointer)),
            file=_token(api.llama_vocab_fim_sep(pointer)),
        )
        self.bytes_by_token, self._names = self._decode_tokens()
        self._special_names = frozenset(name.decode("utf-8", "replace") for name in self._names.values() if name)
        # One object for each id, shared by all lists of tokens: eight million tokens then take 64 MB instead of 320.
        self._ids = np.arange(self.n_vocab).astype(object)
        self._all_names, self._own_names = self._cutters(
            keeps_words=kind in (api.LLAMA_VOCAB_TYPE_BPE, api.LLAMA_VOCAB_TYPE_SPM, api.LLAMA_VOCAB_TYPE_WPM)
        )
        self._grammar_tokens = GrammarTokens(self.bytes_by_token, self.eog_tokens)

    @property
    def prompt_bos_token(self) -> int:
        """The BOS that the model wants in front of every prompt, or -1 if it wants none."""
        return self.bos_token if self.adds_bos and self.bos_token is not None else -1

    @property
    def any_token(self) -> int:
        """A token to try a model with: the beginning or the end of a sequence, if it has one of them."""
        return self.bos_token if self.bos_token is not None else self.eos_token or 0

    def close(self) -> None:
        """Wait for calls in progress, and refuse new ones. May be called again."""
        with self._lock:
            self._pointer = 0
            self._lock.wait_for(lambda: self._users == 0)

    def tokenize(self, text: str, *, parse_special: bool) -> list[int]:
        """Token ids of a text of any size, without BOS and EOS; arguments and errors are those of ``token_steps``."""
        return [token for step in self.token_steps(text, parse_special=parse_special) for token in step]

    def token_steps(self, text: str, *, parse_special: bool) -> Iterator[list[int]]:
        """Token ids of a text of any size, without BOS and EOS, chunk by chunk; each takes some 15 ms without the GIL.

        A run of thousands of characters without a space, or of words without punctuation, may be split where the
        library alone would not.

        Args:
            text: the text.
            parse_special: whether the names of special tokens in the text become those tokens.

        Raises:
            InvalidArgument: a chunk has 2 GiB or more, or characters that the vocabulary neither has nor replaces.
        """
        for chunk in self.chunks(text, parse_special=parse_special):
            for part in cut_long_runs(chunk, self._special_names) if self._splits_words else [chunk]:
                with self.in_use() as pointer:
                    ids = self._tokenize(pointer, part.encode(), parse_special)
                yield ids

    def chunks(self, text: str, *, parse_special: bool) -> Iterator[str]:
        """A text cut where the library alone would find the same tokens, if there is such a place; none is empty."""
        return (self._all_names if parse_special else self._own_names).chunks(text)

    def split_control(self, text: str) -> list[int | str]:
        """A text as control tokens that it names, and what lies between them, as the library would find them.

        Tokens that are found whether or not special ones are recognised count as text.
        """
        present = self._all_names.names_in(text)
        controls = sorted(
            ((name, token) for name, token in self._controls if name.text in present),
            key=lambda control: -len(control[0].text.encode()),
        )
        stretches: list[int | str] = [text] if text else []
        for name, token in controls:
            stretches = [
                part
                for stretch in stretches
                for part in ([stretch] if isinstance(stretch, int) else split_at(stretch, name, token))
            ]
        return stretches

    def token_bytes(self, token: int, special: bool = False) -> bytes:
        """Bytes of a token; control tokens have none unless ``special`` asks for their names.

        Raises:
            ValueError: the token is outside the vocabulary.
        """
        if not 0 <= token < self.n_vocab:
            raise ValueError(f"token {token} is not one of 0 to {self.n_vocab - 1}")
        return self.bytes_by_token[token] or (self._names[token] if special else b"")

    def grammar(self, text: str) -> LlamaGrammar:
        """A new grammar over these tokens, to be closed before the model.

        Raises:
            GrammarError: the grammar cannot be used.
        """
        with self.in_use() as pointer:
            return LlamaGrammar(self._library, pointer, self._grammar_tokens, text)

    @contextmanager
    def in_use(self) -> Iterator[Pointer]:
        """The library's vocabulary, kept alive meanwhile.

        Raises:
            ValueError: the model is closed.
        """
        with self._lock:
            pointer = self._pointer
            if not pointer:
                raise ValueError("the model is closed")
            self._users += 1
        try:
            yield pointer
        finally:
            with self._lock:
                self._users -= 1
                self._lock.notify_all()

    def _tokenize(self, pointer: Pointer, data: bytes, parse_special: bool) -> list[int]:
        if len(data) > _MAX_TEXT_BYTES:
            raise InvalidArgument("prompt", f"has {len(data)} bytes of text; allowed: at most {_MAX_TEXT_BYTES}")
        # Tokens have a byte at least, and some vocabularies put a space in front. The pages behind the result are never
        # touched.
        capacity = len(data) + 8
        while True:
            tokens = np.empty(capacity, np.int32)
            buffer = tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
            n_tokens: int = self._library.api.llama_tokenize(
                pointer, data, len(data), buffer, capacity, False, parse_special
            )
            if n_tokens >= 0:
                if (tokens[:n_tokens] == _NO_TOKEN).any():
                    raise InvalidArgument("prompt", "has characters for which this model has no token")
                ids: list[int] = self._ids[tokens[:n_tokens]].tolist()
                return ids
            capacity = -n_tokens

    def _cutters(self, *, keeps_words: bool) -> tuple[Cutter, Cutter]:
        """Two cutters: for texts in which all special tokens are recognised, and for those in which few always are."""
        api, pointer = self._library.api, self._pointer
        own = api.LLAMA_TOKEN_ATTR_USER_DEFINED
        special = api.LLAMA_TOKEN_ATTR_CONTROL | api.LLAMA_TOKEN_ATTR_UNKNOWN | own
        names: list[Name] = []
        self._controls: list[tuple[Name, int]] = []
        for token in range(self.n_vocab):
            attributes = self._library.short.vocab_get_attr(pointer, token)
            if attributes & special:
                name = Name(
                    self._library.short.vocab_get_text(pointer, token).decode("utf-8", "surrogateescape"),
                    strips_left=bool(attributes & api.LLAMA_TOKEN_ATTR_LSTRIP),
                    strips_right=bool(attributes & api.LLAMA_TOKEN_ATTR_RSTRIP),
                )
                names.append(name)
                if attributes & (api.LLAMA_TOKEN_ATTR_CONTROL | api.LLAMA_TOKEN_ATTR_UNKNOWN):
                    self._controls.append((name, token))
        letter = b"".join(self.bytes_by_token[token] for token in self._tokenize(pointer, b"a", False))
        rules = Rules(
            cuts_words=keeps_words and not spans_word_end([*self.bytes_by_token, *self._names.values()]),
            cuts_anywhere=self._splits_words,
            puts_blank=letter != b"a",
        )
        controls = {name.text for name, _ in self._controls}
        always = [name for name in names if name.text not in controls]
        return Cutter(names, rules), Cutter(always, rules)

    def _decode_tokens(self) -> tuple[list[bytes], dict[int, bytes]]:
        """The bytes of all tokens, and the names of those without any."""
        call, pointer = self._library.short.token_to_piece, self._pointer
        buffer = ctypes.create_string_buffer(_MAX_TOKEN_BYTES)

        def decode(token: int, special: bool) -> bytes:
            nonlocal buffer
            length = call(pointer, token, buffer, len(buffer), 0, special)
            if length < 0:
                buffer = ctypes.create_string_buffer(-length)
                length = call(pointer, token, buffer, len(buffer), 0, special)
            return buffer.raw[:length]

        bytes_by_token = [decode(token, False) for token in range(self.n_vocab)]
        names = {token: decode(token, True) for token, data in enumerate(bytes_by_token) if not data}
        return bytes_by_token, names


def _token(value: int) -> int | None:
    return None if value == _NO_TOKEN else value


def _fim_tokens(prefix: int, suffix: int, middle: int, *, repository: int | None, file: int | None) -> FimTokens | None:
    if _NO_TOKEN in (prefix, suffix, middle):
        return None
    return FimTokens(prefix, suffix, middle, repository=repository, file=file)
