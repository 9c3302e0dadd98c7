"""gevent's pywsgi still has what the adapter needs beyond its documentation; see ``rest_adapter.http.pywsgi_hooks``."""

from __future__ import annotations

import inspect
import io
from typing import TYPE_CHECKING, Any

import pytest
from gevent.pywsgi import Input, WSGIHandler, WSGIServer

from rest_adapter.http.body import RequestBody
from rest_adapter.http.handler import ConnectionHandler
from rest_adapter.http.pywsgi_hooks import HookedHandler, HookedInput
from rest_adapter.http.server import HttpServer

if TYPE_CHECKING:
    from collections.abc import Callable

#: Methods that the adapter overrides, where it does so, and their parameters.
OVERRIDDEN = [
    (Input, "_discard", HookedInput, "(self)"),
    (Input, "read", RequestBody, "(self, length=None)"),
    (WSGIHandler, "_handle_client_error", HookedHandler, "(self, ex)"),
    (WSGIHandler, "_send_error_response_if_possible", HookedHandler, "(self, error_code)"),
    (WSGIHandler, "_log_error", HookedHandler, "(self, t, v, tb)"),
    (WSGIHandler, "write", HookedHandler, "(self, data)"),
    (WSGIHandler, "_sendall", HookedHandler, "(self, data)"),
    (WSGIHandler, "handle", ConnectionHandler, "(self)"),
    (WSGIHandler, "handle_one_response", ConnectionHandler, "(self)"),
    (WSGIHandler, "read_requestline", ConnectionHandler, "(self)"),
    (WSGIHandler, "read_request", ConnectionHandler, "(self, raw_requestline)"),
    (WSGIHandler, "get_environ", ConnectionHandler, "(self)"),
    (WSGIHandler, "start_response", ConnectionHandler, "(self, status, headers, exc_info=None)"),
    (WSGIHandler, "handle_error", ConnectionHandler, "(self, t, v, tb)"),
    (WSGIHandler, "log_request", ConnectionHandler, "(self)"),
    (WSGIServer, "handle", HttpServer, "(self, sock, address)"),
]
#: Where pywsgi calls the private ones.
CALLS = [
    (WSGIHandler.handle_one_response, "self.wsgi_input._discard()"),
    (WSGIHandler.handle_one_request, "return self._handle_client_error(ex)"),
    (WSGIHandler.handle_error, "self._log_error(t, v, tb)"),
    (WSGIHandler.handle_error, "self._send_error_response_if_possible(500)"),
    (WSGIHandler.process_result, "self.write(data)"),
    (WSGIHandler.process_result, "if self.status and not self.headers_sent:"),
    (WSGIHandler.process_result, "self._sendall(b'0\\r\\n\\r\\n')"),
]


@pytest.mark.parametrize(("base", "name", "own", "parameters"), OVERRIDDEN)
def test_a_method_that_is_overridden_has_the_parameters_expected(
    base: type[object], name: str, own: type[object], parameters: str
) -> None:
    assert str(inspect.signature(getattr(base, name))) == parameters
    assert name in vars(own), "it is not overridden there any more"


@pytest.mark.parametrize(("caller", "call"), CALLS)
def test_pywsgi_calls_a_private_method_where_we_need_it(caller: Callable[..., Any], call: str) -> None:
    assert call in inspect.getsource(caller)


def test_the_reader_of_bodies_tells_its_position() -> None:
    plain = Input(io.BytesIO(b"abcd"), 4)  # type: ignore[arg-type]
    assert (plain.chunk_length, plain.position) == (-1, 0)
    plain.read(3)
    assert plain.position == 3
    chunked = Input(io.BytesIO(b"4\r\nabcd\r\n0\r\n\r\n"), None, chunked_input=True)  # type: ignore[arg-type]
    chunked.read(3)
    assert (chunked.chunk_length, chunked.position) == (4, 3)
    assert chunked.read() == b"d"
    assert chunked.chunk_length == 0
