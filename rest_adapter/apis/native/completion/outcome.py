"""What has come of one answer of POST /completion or POST /infill, for whichever shape shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.ending import check_finished, unfinished
from slotline.v1.generation_pb2 import Accepted

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_adapter.json.encoding import Encoded
    from slotline.v1.generation_pb2 import Finished, Piece
    from slotline.v1.tokens_pb2 import Token

    TokenForm = Callable[[Token], Encoded]


class Outcome:
    """One answer to one prompt, as far as it has come.

    Args:
        index: its number among all answers of the body.
        echo: what it repeats of the prompt.

    Attributes:
        accepted: where it runs.
        texts, token_ids: of an answer that is not streamed.
        probabilities: an entry for each token, if they are kept.
        n_tokens: tokens so far, if the core tells them.
    """

    def __init__(self, index: int, echo: object) -> None:
        self.index = index
        self.echo = echo
        self.accepted = Accepted()
        self.texts: list[str] = []
        self.token_ids: list[int] = []
        self.probabilities: list[Encoded] = []
        self.n_tokens = 0
        self._finished: Finished | None = None

    @property
    def end(self) -> Finished:
        """How it ended.

        Raises:
            RpcFailure: it has not.
        """
        if self._finished is None:
            raise unfinished()
        return self._finished

    def keep(self, piece: Piece) -> None:
        """Take a piece of an answer that is not streamed."""
        self.texts.append(piece.text)
        self.token_ids.extend(token.id for token in piece.tokens)

    def finish(self, finished: Finished) -> None:
        """Take the ending.

        Raises:
            RpcFailure: the server cut the answer short.
        """
        check_finished(finished)
        self._finished = finished
