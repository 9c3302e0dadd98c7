"""Everything that can go wrong in the adapter, as one tree. ``http_errors`` turns it into HTTP answers.

AdapterError
├── InvalidRequest      a field of the JSON body has a value that is not allowed
├── InvalidBody         the body is not JSON
├── Unauthorized        a missing or wrong API key
├── Misdirected         the header Host does not name this server
├── ForeignOrigin       a web page of an origin that may not use this server
├── NotAllowed          a field of the JSON body that this adapter was not started to allow
├── Overloaded          this adapter serves as many generations as it may, or does as much of something else
├── Crowded             another connection needed the place of this one before the whole request had come
├── NoSlot              no slot is idle, which the request wanted to know
├── NotOffered          a route that this adapter was started without
└── RpcFailure          the core refused or failed
StreamClosed            the client has gone, or the adapter stops
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc import StatusCode

from slotline.protocol import reasons

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: What the OpenAI API calls the ways in which a field can be wrong.
INVALID_VALUE = "invalid_value"
INVALID_TYPE = "invalid_type"
MISSING = "missing_required_parameter"
UNSUPPORTED = "unsupported_parameter"


class AdapterError(Exception):
    """A request cannot be answered."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequest(AdapterError):
    """A field of the JSON body has a value that is not allowed.

    Args:
        name: path of the field in the body, for example ``messages[0].role``.
        problem: the value and what is allowed, to be read after the name.
        code: what the OpenAI API calls it.
    """

    def __init__(self, name: str, problem: str, code: str = INVALID_VALUE) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.code = code


class InvalidBody(AdapterError):
    """The body is not JSON."""


class Unauthorized(AdapterError):
    """A missing or wrong API key."""


class Misdirected(AdapterError):
    """The header Host does not name this server."""


class ForeignOrigin(AdapterError):
    """A web page of an origin that may not use this server."""


class NotAllowed(AdapterError):
    """A field of the JSON body that this adapter was not started to allow.

    Args:
        name: the field.
        reason: why, and what would allow it, to be read after the name.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name


class Overloaded(AdapterError):
    """This adapter serves as many generations as it may, or does as much of something else.

    Args:
        limit: how many that are.
        what: what there may not be more of.
    """

    def __init__(self, limit: int, what: str = "generations are running or waiting") -> None:
        super().__init__(f"{limit} {what}, as many as allowed; try again later")


class Crowded(AdapterError):
    """Another connection needed the place of this one before the whole request had come."""

    def __init__(self) -> None:
        super().__init__("all connections are taken, and this request had not come as a whole; try again")


class NoSlot(AdapterError):
    """No slot is idle, which the request wanted to know."""

    def __init__(self) -> None:
        super().__init__("no slot available")


class NotOffered(AdapterError):
    """A route that this adapter was started without.

    Args:
        message: which, and what would offer it.
        is_missing: it is told like a path that there is not; else like something that the server cannot do.
    """

    def __init__(self, message: str, *, is_missing: bool = True) -> None:
        super().__init__(message)
        self.is_missing = is_missing


class RpcFailure(AdapterError):
    """The core refused or failed.

    Attributes:
        status: gRPC status of the call.
        reason: ``google.rpc.ErrorInfo.reason``, or "" if the status did not come from a core.
        violations: (field path in the protobuf message, description) per field that was refused.
        retry_after_s: seconds after which the same request may succeed, or None.
        metadata: ``google.rpc.ErrorInfo.metadata``; its ``feature`` names a field, too.
        call: number of the call among those that were started together.
    """

    def __init__(
        self,
        status: StatusCode,
        reason: str,
        message: str,
        *,
        violations: tuple[tuple[str, str], ...] = (),
        retry_after_s: float | None = None,
        metadata: Mapping[str, str] | None = None,
        call: int = 0,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.violations = violations
        self.retry_after_s = retry_after_s
        self.metadata = dict(metadata or {})
        self.call = call

    def of_call(self, number: int) -> RpcFailure:
        """The same failure with another number of the call."""
        return self._but(self.violations, number)

    def of_field(self, path: str, problem: str) -> RpcFailure:
        """The refusal of a field instead of this failure.

        Args:
            path: of the field in the message.
            problem: what is wrong with it.
        """
        return RpcFailure(
            StatusCode.INVALID_ARGUMENT,
            reasons.INVALID_ARGUMENT,
            self.message,
            violations=((path, problem),),
            metadata=self.metadata,
            call=self.call,
        )

    def renamed(
        self, rename: Callable[[str], str], reword: Callable[[str], str] = lambda description: description
    ) -> RpcFailure:
        """The same failure, with other names for the fields that were refused.

        Args:
            rename: gives the name for the path of a field.
            reword: gives a description in which other fields are called by their names, too.
        """
        violations = tuple((rename(path), reword(description)) for path, description in self.violations)
        return self._but(violations, self.call)

    def _but(self, violations: tuple[tuple[str, str], ...], call: int) -> RpcFailure:
        return RpcFailure(
            self.status,
            self.reason,
            self.message,
            violations=violations,
            retry_after_s=self.retry_after_s,
            metadata=self.metadata,
            call=call,
        )


class StreamClosed(Exception):
    """The answer is no longer needed: the client has gone, or the adapter stops."""
