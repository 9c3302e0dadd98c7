"""Everything that can go wrong with a request, as one tree.

    ServiceError
    ├── InvalidArgument            a field has a value that is not allowed
    │   └── ContextLengthExceeded  a prompt or an input does not fit into the context
    ├── ModelNotFound              a model name that is not served
    ├── Unauthenticated            a missing or wrong API key
    ├── NotAllowed                 the caller may not do this on this server as it was started
    ├── NotSupported               this server cannot do it as it was started, or with this model
    ├── ResourceExhausted          something finite has run out
    │   ├── QueueFull              too many requests are waiting
    │   └── CacheExhausted         no KV cells are left for this request
    ├── Unavailable                not now
    │   ├── ModelLoading
    │   ├── ModelFailed            the model could not be loaded; this will not pass
    │   │   └── ProjectorFailed    nor can its projector be used, without which the server was not to start
    │   ├── Stalled                the engine makes no progress
    │   ├── TemplateWorkerLost     the process that renders chats was lost, twice
    │   ├── ImageWorkerLost        the process that encodes pictures was lost, or is not running
    │   ├── SlotsBusy              only possible while all slots are idle
    │   └── Draining               the server is going down
    ├── DeadlineExceeded
    ├── StorageFailure             a file of this server cannot be read or written
    └── EngineFailure              a fault of ours

``service.api.rpc.rpc_errors`` maps the tree to gRPC statuses; the REST adapter maps those to HTTP. Whatever a message
says is also in ``metadata``, so that nobody has to parse prose.

A message that asks for another configuration writes the fields of ``service.config`` in backticks, as in "set `n_ctx`",
because whoever started the server may know them by other names: ``service.field_names`` puts those in their place. If
it answers a request, the fields are also in ``metadata``, as ``config_fields``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from slotline.protocol import reasons

if TYPE_CHECKING:
    from collections.abc import Mapping


class ServiceError(Exception):
    """A request failed.

    Attributes:
        reason: stable upper-case word for machines (``google.rpc.ErrorInfo.reason``).
        metadata: the facts of the message as strings.
        retry_after_s: seconds after which the same request may succeed, or None if it never will.
    """

    reason: str = reasons.INTERNAL

    def __init__(
        self, message: str, *, metadata: Mapping[str, str] | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.retry_after_s = retry_after_s


class InvalidArgument(ServiceError):
    """A field has a value that is not allowed.

    Args:
        field: path of the field in the request, for example ``sampling.top_p``.
        problem: what is wrong with the value and what is allowed.
    """

    reason = reasons.INVALID_ARGUMENT

    def __init__(self, field: str, problem: str, *, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{field}: {problem}", metadata={reasons.FIELD: field, **(metadata or {})})
        self.field = field
        self.problem = problem


class ContextLengthExceeded(InvalidArgument):
    """A prompt or an input does not fit into the context.

    Args:
        n_prompt_tokens: its tokens, as far as they were counted.
        n_ctx: tokens of context that there are for it.
        field: path of the field in the request.
        allowed: the bound in words; None for that of a prompt in a slot: shorter than ``n_ctx``.
        is_exact: whether all of its tokens were counted.
        n_image_tokens: those of them that pictures take, which are at least so many unless ``is_exact``.
    """

    reason = reasons.CONTEXT_LENGTH_EXCEEDED

    def __init__(
        self,
        n_prompt_tokens: int,
        n_ctx: int,
        *,
        field: str = "prompt",
        allowed: str | None = None,
        is_exact: bool = True,
        n_image_tokens: int = 0,
    ) -> None:
        problem = f"but {allowed}"
        if allowed is None:
            # The first words are llama.cpp's: programs that shorten conversations look for them.
            bound = f"a slot's context holds {n_ctx} and one must be left for the answer"
            problem = f"which exceeds the available context size: {bound}"
        counted = f"{'' if is_exact else 'more than '}{n_prompt_tokens} tokens"
        if n_image_tokens:
            least = "" if is_exact else "at least "
            counted = f"{least}{n_prompt_tokens} tokens, {least}{n_image_tokens} of them for pictures"
        super().__init__(
            field,
            f"has {counted}, {problem}",
            metadata={reasons.N_PROMPT_TOKENS: str(n_prompt_tokens), reasons.N_CTX: str(n_ctx)},
        )
        self.n_prompt_tokens = n_prompt_tokens
        self.n_ctx = n_ctx


class ModelNotFound(ServiceError):
    """A model name that is not served."""

    reason = reasons.MODEL_NOT_FOUND

    def __init__(self, name: str, served: str) -> None:
        super().__init__(f"model {name!r} is not served here; served: {served!r}", metadata={reasons.MODEL: name})


class Unauthenticated(ServiceError):
    """A missing or wrong API key."""

    reason = reasons.INVALID_API_KEY


class NotAllowed(ServiceError):
    """The caller may not do this on this server as it was started; the message says what would allow it."""

    reason = reasons.NOT_ALLOWED


class NotSupported(ServiceError):
    """This server cannot do it as it was started, or with this model; the message says what would help."""

    reason = reasons.NOT_SUPPORTED


class ResourceExhausted(ServiceError):
    """Something finite has run out."""

    reason = reasons.RESOURCE_EXHAUSTED


class QueueFull(ResourceExhausted):
    """Too many requests, or other things, are waiting.

    Args:
        limit: how many may wait.
        retry_after_s: estimated seconds until there is room.
        what: they are.
    """

    reason = reasons.QUEUE_FULL

    def __init__(self, limit: int, retry_after_s: float, what: str = "requests") -> None:
        super().__init__(
            f"the queue is full: {limit} {what} are waiting; try again in {math.ceil(retry_after_s)} s",
            metadata={reasons.LIMIT: str(limit)},
            retry_after_s=retry_after_s,
        )


class CacheExhausted(ResourceExhausted):
    """No KV cells are left for this request."""

    reason = reasons.KV_CACHE_EXHAUSTED


class Unavailable(ServiceError):
    """Not now."""

    reason = reasons.UNAVAILABLE


class ModelLoading(Unavailable):
    """The model is still being loaded."""

    reason = reasons.MODEL_LOADING

    def __init__(self) -> None:
        super().__init__("the model is still being loaded", retry_after_s=1.0)


class ModelFailed(Unavailable):
    """The model could not be loaded; this will not pass."""

    reason = reasons.MODEL_FAILED


class ProjectorFailed(ModelFailed):
    """The projector that the server was started with cannot be used; the server ends."""


class Stalled(Unavailable):
    """The engine makes no progress, and waiting for it is in vain.

    Args:
        what: what has stalled, as a sentence without its end.
    """

    reason = reasons.STALLED

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; the server takes requests again once it has been restarted", retry_after_s=5.0)


class TemplateWorkerLost(Unavailable):
    """The process that renders chat templates was lost, and so was the one that replaced it."""

    reason = reasons.TEMPLATE_WORKER_LOST

    def __init__(self, how: str) -> None:
        super().__init__(f"{how}, twice; try again", retry_after_s=1.0)


class ImageWorkerLost(Unavailable):
    """The process that encodes pictures was lost with a picture that it cannot be blamed on, or is not running."""

    reason = reasons.IMAGE_WORKER_LOST

    def __init__(self, how: str) -> None:
        super().__init__(f"{how}; try again", retry_after_s=1.0)


class SlotsBusy(Unavailable):
    """What concerns all slots, by default the system prompt, can only change while all of them are idle."""

    reason = reasons.SLOTS_BUSY

    def __init__(self, what: str = "system prompt") -> None:
        super().__init__(f"{what} can only be updated when all slots are idle", retry_after_s=1.0)


class Draining(Unavailable):
    """The server is going down."""

    reason = reasons.DRAINING

    def __init__(self) -> None:
        super().__init__("the server is shutting down and takes no new requests", retry_after_s=1.0)


class DeadlineExceeded(ServiceError):
    """The request's deadline passed."""

    reason = reasons.DEADLINE_EXCEEDED


class StorageFailure(ServiceError):
    """A file of this server cannot be read or written; the message says which, and what the system says."""

    reason = reasons.INTERNAL


class EngineFailure(ServiceError):
    """A fault of ours."""

    reason = reasons.INTERNAL
