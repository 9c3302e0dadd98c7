"""What prompt preparation asks of a vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class FimTokens(Protocol):
    """The tokens that frame the parts of an infill prompt."""

    @property
    def prefix(self) -> int:
        """Stands before what comes before the gap."""

    @property
    def suffix(self) -> int:
        """Stands before what comes after the gap."""

    @property
    def middle(self) -> int:
        """Stands before what fills the gap."""

    @property
    def repository(self) -> int | None:
        """Stands before the name of a repository, None if the model has no such token."""

    @property
    def file(self) -> int | None:
        """Stands before the name of each file of a repository, None if the model has no such token."""


class Vocabulary(Protocol):
    """The tokens of a model. Everything here may be used from any thread at any time."""

    @property
    def n_vocab(self) -> int:
        """Number of tokens; ids are 0 to ``n_vocab - 1``."""

    @property
    def bos_token(self) -> int | None:
        """The beginning-of-sequence token, None if the model has none."""

    @property
    def eos_token(self) -> int | None:
        """The end-of-sequence token, None if the model has none."""

    @property
    def sep_token(self) -> int | None:
        """The separator token, None if the model has none."""

    @property
    def adds_bos(self) -> bool:
        """Whether prompts of this model begin with BOS; that of a BERT vocabulary is called CLS."""

    @property
    def adds_eos(self) -> bool:
        """Whether texts of this model are closed with EOS."""

    @property
    def adds_sep(self) -> bool:
        """Whether texts of this model are closed with SEP instead of EOS."""

    @property
    def adds_sep_to_pairs(self) -> bool:
        """Whether SEP stands between two texts that are scored together."""

    @property
    def eog_tokens(self) -> frozenset[int]:
        """Tokens at which generation ends."""

    @property
    def fim_tokens(self) -> FimTokens | None:
        """What infill needs, None if the model cannot do it."""

    def tokenize(self, text: str, *, parse_special: bool) -> list[int]:
        """Token ids of a text of any size, without BOS and EOS.

        Args:
            text: the text.
            parse_special: whether the names of special tokens in the text become those tokens.
        """

    def token_steps(self, text: str, *, parse_special: bool) -> Iterator[list[int]]:
        """What ``tokenize`` returns, in parts that take a short time each."""

    def split_control(self, text: str) -> list[int | str]:
        """A text as control tokens that it names, and what lies between them; blanks that belong to them are gone."""

    def token_bytes(self, token: int, special: bool = False) -> bytes:
        """Bytes of a token; control tokens have none unless ``special`` asks for their names."""
