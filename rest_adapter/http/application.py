"""Flask with as little as possible between a request and its route.

Of what Flask does around every request, an API needs the request's context, the routes and the handlers of errors. It
has no sessions, and one function before and after all routes instead of lists of hooks. Paths without variables are
looked up in a table, and answers are made by ``responses`` and not by Flask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from werkzeug.routing import MapAdapter, Rule

    from rest_adapter.http.responses import Answer


class Application(Flask):
    """An application whose routes return an ``Answer``; so do the handlers of errors.

    Args:
        name: the module that it belongs to.
        answer_early: called before every route; its answer, if any, takes the place of the route's.
        finish: called with every answer, also to errors, before it goes out.
    """

    def __init__(
        self, name: str, *, answer_early: Callable[[Request], Answer | None], finish: Callable[[Request, Answer], None]
    ) -> None:
        super().__init__(name, static_folder=None)
        # A double slash is another path, not a reason for a redirect.
        self.url_map.merge_slashes = False
        self.session_interface = _NoSessions()
        self._answer_early = answer_early
        self._finish = finish
        self._rules: dict[tuple[str, str], Rule] = {}

    def add_route(self, path: str, method: str, view: Callable[..., Answer]) -> None:
        """Add a path, which may have variables in Werkzeug's form, for one method (and HEAD, if that is GET)."""
        endpoint = f"{method} {path}"
        rule = self.url_rule_class(path, endpoint=endpoint, methods=[method])
        self.url_map.add(rule)
        self.view_functions[endpoint] = cast("Any", view)
        if not rule.arguments:
            self._rules |= {(one, path): rule for one in rule.methods or ()}

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        if request is not None:
            environ = request.environ
            rule = self._rules.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
            if rule is not None:
                # Nothing is left for an adapter to find.
                request.url_rule, request.view_args = rule, {}
                return None
        return super().create_url_adapter(request)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self.request_context(environ) as context:
            request = context.request
            try:
                answer = self._answer_early(request) or self._routed(request)
            except Exception as error:
                answer = cast("Answer", self.handle_user_exception(error))
            self._finish(request, answer)
        return answer(environ, start_response)

    def _routed(self, request: Request) -> Answer:
        if request.routing_exception is not None:
            raise request.routing_exception
        assert request.url_rule is not None
        return cast("Answer", self.view_functions[request.url_rule.endpoint](**(request.view_args or {})))


class _NoSessions(SessionInterface):
    """Sessions that hold nothing, and cost nothing to open."""

    _session = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._session
