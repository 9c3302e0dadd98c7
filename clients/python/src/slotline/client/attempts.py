"""Which server a call is made to, and what its failures mean. Pure: the clients do the calls."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import grpc

from slotline.client.errors import SlotlineError, StreamLost
from slotline.client.prefix_key import ranked
from slotline.protocol.error_details import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from slotline.v1.generation_pb2 import GenerateRequest, GenerateResponse

#: A server that refuses with these may be busy where another one is not, or not be there at all.
_ELSEWHERE = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
#: gRPC's clock and ours need not agree on the moment at which a deadline passes.
_TOLERANCE_S = 0.1


class Targets:
    """The servers of a client; any thread.

    Args:
        names: their addresses.
        deadline_s: seconds for a call that says nothing else; None for no limit.
    """

    def __init__(self, names: Sequence[str], deadline_s: float | None = None) -> None:
        self._names = list(names)
        self._deadline_s = deadline_s
        self._turns = itertools.count()

    def order(self, key: str) -> list[str]:
        """The order in which a call is offered to them: by its prefix key, or in turns without one."""
        if key:
            return ranked(self._names, key)
        first = next(self._turns) % len(self._names)
        return self._names[first:] + self._names[:first]

    def attempts(self, key: str, deadline_s: float | None) -> Attempts:
        """A call with this prefix key, and with this deadline if it has one of its own."""
        return Attempts(self.order(key), self._deadline_s if deadline_s is None else deadline_s)


class Attempts:
    """One call: it is offered to each server once, until one takes it.

    Args:
        order: the servers.
        deadline_s: seconds for all attempts together; None for no limit.

    Attributes:
        target: the server whose turn it is.
    """

    def __init__(self, order: Sequence[str], deadline_s: float | None) -> None:
        self._left: Iterator[str] = iter(order)
        self._ends_s = None if deadline_s is None else time.monotonic() + deadline_s
        self._shortest_s: float | None = None
        self.target = next(self._left)

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self._ends_s is None else max(0.0, self._ends_s - time.monotonic())

    @property
    def is_overdue(self) -> bool:
        """Whether the caller's deadline has passed."""
        return self._ends_s is not None and time.monotonic() > self._ends_s - _TOLERANCE_S

    def refused(self, error: SlotlineError) -> None:
        """Go on to the next server.

        Raises:
            SlotlineError: there is none, or it would say the same.
        """
        delays = [delay for delay in (self._shortest_s, error.retry_after_s) if delay is not None]
        self._shortest_s = error.retry_after_s = min(delays, default=None)
        following = next(self._left, None)
        if following is None or error.code not in _ELSEWHERE or self.is_overdue:
            raise error
        self.target = following

    def failed(self, error: SlotlineError, progress: Progress) -> None:
        """Go on to the next server after the failure of a stream, if it was not accepted yet.

        Raises:
            SlotlineError: there is nowhere to go.
            StreamLost: it was accepted.
        """
        if progress.is_accepted:
            raise self._broken(error)
        self.refused(error)

    def _broken(self, error: SlotlineError) -> SlotlineError:
        # A core says why it ends a stream; the caller's own deadline needs no explanation.
        if error.domain == DOMAIN or (error.code is grpc.StatusCode.DEADLINE_EXCEEDED and self.is_overdue):
            return error
        return StreamLost(error.code, error.message)


def n_sequences_of(request: GenerateRequest) -> int:
    """Continuations that a request asks for."""
    return request.num_sequences if request.HasField("num_sequences") else 1


class Progress:
    """How far a stream has come.

    Args:
        n_sequences: continuations that the request asks for.

    Attributes:
        is_accepted: whether its first message has come: from then on nothing is tried anew.
    """

    def __init__(self, n_sequences: int) -> None:
        self.is_accepted = False
        self._n_left = n_sequences

    def note(self, message: GenerateResponse) -> None:
        """Take a message."""
        self.is_accepted = True
        self._n_left -= message.HasField("finished")

    def check_end(self) -> None:
        """Look at a stream that ended without an error.

        Raises:
            StreamLost: it is not whole.
        """
        if self._n_left > 0:
            raise StreamLost(grpc.StatusCode.OK, "the stream ended before all of its sequences had finished")
