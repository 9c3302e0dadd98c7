"""What a route is, and what every route gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flask import request
from werkzeug.routing import BaseConverter

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.asked_shape import read_shape
from rest_adapter.apis.common.chat_defaults import ChatDefaults
from rest_adapter.errors import InvalidRequest, NotOffered
from rest_adapter.http.background import BackgroundThread
from rest_adapter.http.error_forms import error_form
from rest_adapter.http.responses import Answer

if TYPE_CHECKING:
    from rest_adapter.apis.serving.limiter import Limiter
    from rest_adapter.config import RestConfig
    from rest_adapter.core.calls import CoreCalls
    from rest_adapter.http.counts import ResponseCounts
    from rest_adapter.http.error_forms import ErrorForm
    from rest_adapter.http.keys import ApiKeys
    from rest_adapter.openapi.operation import Operation
    from rest_adapter.remote.fetcher import Fetcher

Handler = Callable[["AppContext"], Answer]


class RestOfPath(BaseConverter):
    """``<rest:name>`` in a path: everything to its end, with slashes, also at the beginning, and line breaks."""

    regex = r"[\s\S]+"
    part_isolating = False


@dataclass(frozen=True, slots=True)
class AppContext:
    """What the routes of one application share.

    Attributes:
        routes: all of them.
        may_change_system_prompt: whether clients that may generate may also replace the system prompt of all slots.
        reading: reads large bodies.
        writing: writes large answers.
        fetcher: fetches pictures that other servers have; None if that is not allowed.
        chat_defaults: what conversations get that say nothing else.
    """

    core: CoreCalls
    config: RestConfig
    limiter: Limiter
    counts: ResponseCounts
    keys: ApiKeys
    routes: tuple[Route, ...]
    may_change_system_prompt: bool = False
    reading: BackgroundThread = field(default_factory=BackgroundThread)
    writing: BackgroundThread = field(default_factory=BackgroundThread)
    fetcher: Fetcher | None = None
    chat_defaults: ChatDefaults = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "chat_defaults", ChatDefaults.of(self.config))

    @property
    def shape(self) -> ApiShape:
        """The shape that the current request is answered in. What is wrong with its query is found before any route.

        Raises:
            InvalidRequest: the request asks for a shape that there is not.
        """
        # Reading a query costs as much as all else that is asked of most requests, which have none.
        return read_shape(request.args, self.config.api_shape) if request.query_string else self.config.api_shape

    @property
    def likely_shape(self) -> ApiShape:
        """The shape of the current request; of one that asks for no known shape, that of the server."""
        try:
            return self.shape
        except InvalidRequest:
            return self.config.api_shape

    def not_offered(self, message: str) -> NotOffered:
        """The error for a route that the server was started without; in the shape of today it is not supported."""
        return NotOffered(message, is_missing=self.shape is ApiShape.OF_2024)

    @property
    def error_form(self) -> ErrorForm:
        """The form of errors of the current request."""
        return error_form(request.path, self.likely_shape)


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Attributes:
        method: its HTTP method.
        paths: equivalent paths; the first is the one that documents use.
        handler: answers.
        operation: describes it in OpenAPI.
        is_public: it answers without an API key, too.
    """

    method: str
    paths: tuple[str, ...]
    handler: Handler
    operation: Operation
    is_public: bool = False

    def bind(self, context: AppContext) -> Callable[..., Answer]:
        """The view function for Flask. Handlers find the variable parts of the path in the request."""

        def view(**_: str) -> Answer:
            return self.handler(context)

        return view
