"""The Flask application: the routes, what is checked before and added after each, and answers to errors."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.routes import ROUTES
from rest_adapter.apis.serving.app_context import AppContext, RestOfPath
from rest_adapter.apis.serving.limiter import Limiter
from rest_adapter.errors import AdapterError, InvalidBody, StreamClosed
from rest_adapter.files.page import page_files, page_response
from rest_adapter.files.static import static_response
from rest_adapter.http.application import Application
from rest_adapter.http.cors import Promises, add_cors_headers, asked_by, preflight, refuse_foreigners
from rest_adapter.http.counts import ResponseCounts
from rest_adapter.http.error_forms import ErrorForm
from rest_adapter.http.http_errors import ADAPTER_FAILED, CLIENT_GONE, http_error, routing_error
from rest_adapter.http.keys import ApiKeys
from rest_adapter.http.origins import OriginRules
from rest_adapter.http.request_ids import HEADER as REQUEST_ID
from rest_adapter.http.request_ids import request_id
from rest_adapter.http.responses import SERVER_NAME, Answer, error_response
from rest_adapter.http.verbose import log_response_body
from rest_adapter.remote.fetcher import Fetcher
from slotline.protocol.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response

    from rest_adapter.config import RestConfig
    from rest_adapter.core.calls import CoreCalls
    from rest_adapter.http.http_errors import HttpError

logger = logging.getLogger(__name__)

#: Characters of a path that an error repeats.
_PATH_SHOWN = 120
_PUBLIC_PATHS = frozenset(path for route in ROUTES if route.is_public for path in route.paths)


def create_app(
    core: CoreCalls,
    config: RestConfig,
    *,
    max_generations: int | None = None,
    is_loopback: bool = True,
    fetcher: Fetcher | None = None,
) -> Flask:
    """Put an application together.

    Args:
        core: answers the calls.
        config: limits and switches.
        max_generations: generations that may run or wait at the same time, by default as many as connections.
        is_loopback: whether only this machine can reach the server.
        fetcher: fetches pictures from the servers that the configuration lists; by default from the internet.
    """
    # Read and compressed now, so that neither the first visitor nor running streams wait for it.
    page_files()
    context = AppContext(
        core,
        config,
        Limiter(max_generations or config.max_connections),
        ResponseCounts(),
        ApiKeys(config.api_keys),
        ROUTES,
        may_change_system_prompt=config.allow_system_prompt or bool(config.api_keys) or is_loopback,
        fetcher=(fetcher or Fetcher(config.image_url_allow)) if config.image_url_allow else None,
    )
    rules = OriginRules(
        has_keys=bool(config.api_keys),
        is_loopback=is_loopback,
        origins=config.cors_origins,
        hosts=(*config.allowed_hosts, *(host.lower() for host in config.hosts)),
        credentials=config.cors_credentials,
    )
    app = Application(
        __name__, answer_early=partial(_answer_early, context, rules), finish=partial(_finish, context, rules)
    )
    app.config["MAX_CONTENT_LENGTH"] = config.max_body_bytes
    app.url_map.converters["rest"] = RestOfPath
    for route in ROUTES:
        for path in route.paths:
            app.add_route(path, route.method, route.bind(context))
    _add_error_handlers(app, context)
    return app


def _answer_early(context: AppContext, rules: OriginRules, request: Request) -> Answer | None:
    """What is checked before each route, and what is answered without one.

    Raises:
        AdapterError: the request is refused.
    """
    environ, method, config = request.environ, request.method, context.config
    is_read = method in ("GET", "HEAD")
    shape = context.likely_shape if method == "OPTIONS" else None
    # In the shape of today a preflight is answered, without the header by which a foreign page might go on.
    refuse_foreigners(rules, asked_by(environ), is_harmless=is_read or shape is ApiShape.NOW)
    if shape is not None:
        promises = Promises.of(shape, config.cors_methods, config.cors_headers)
        return preflight(_methods(request, config), environ, promises)
    if is_read:
        file = _file(request, config)
        if file is not None:
            return Answer.of(file, environ)
    if not (is_read and request.path in _PUBLIC_PATHS):
        context.keys.check()
    # Here, so that each route refuses a shape that there is not.
    _ = context.shape
    return None


def _finish(context: AppContext, rules: OriginRules, request: Request, answer: Answer) -> None:
    """Count each answer, and add what all of them have."""
    method, rule = request.method, request.url_rule
    context.counts.add(method, None if rule is None else rule.rule, answer.status)
    log_response_body(answer)
    answer.headers.append(("Server", SERVER_NAME))
    if context.error_form is ErrorForm.ANTHROPIC:
        answer.headers.append((REQUEST_ID, request_id()))
    add_cors_headers(rules, asked_by(request.environ), method, answer)


def _add_error_handlers(app: Flask, context: AppContext) -> None:
    for kind, told in _ERRORS:
        app.register_error_handler(kind, partial(_failed, context, told))


def _failed(context: AppContext, told: Callable[[Any], HttpError], error: Exception) -> Answer:
    return error_response(told(error), context.error_form)


def _file(request: Request, config: RestConfig) -> Response | None:
    """The file at the path of the request: from the user's directory, or of the built-in page if there is no route."""
    file = None if config.static_path is None else static_response(config.static_path, request.path)
    if file is None and config.page and isinstance(request.routing_exception, NotFound):
        return page_response(request.path)
    return file


def _methods(request: Request, config: RestConfig) -> set[str]:
    """The methods that the path of a request takes, without OPTIONS."""
    if request.environ["PATH_INFO"] == "*":
        return {"HEAD", *(route.method for route in ROUTES)}
    unknown = request.routing_exception
    known = set(unknown.valid_methods or ()) if isinstance(unknown, MethodNotAllowed) else set()
    file = _file(request, config)
    if file is None:
        return known
    file.close()
    return known | {"GET", "HEAD"}


def _client_gone(error: StreamClosed) -> HttpError:
    return CLIENT_GONE


def _routing_error(error: HTTPException) -> HttpError:
    path = excerpt(request.path, _PATH_SHOWN)
    return routing_error(error, f"{request.method} {path}")


def _nested_too_deeply(error: RecursionError) -> HttpError:
    # Reading a value may succeed when its translation, which nests calls more deeply, does not.
    return http_error(InvalidBody("the body is nested too deeply"))


def _unexpected_error(error: Exception) -> HttpError:
    logger.exception("route failed", extra={"method": request.method, "path": request.path})
    return ADAPTER_FAILED


#: What is answered to an exception of each kind.
_ERRORS: tuple[tuple[type[Exception], Callable[[Any], HttpError]], ...] = (
    (AdapterError, http_error),
    (StreamClosed, _client_gone),
    (HTTPException, _routing_error),
    (RecursionError, _nested_too_deeply),
    (Exception, _unexpected_error),
)
