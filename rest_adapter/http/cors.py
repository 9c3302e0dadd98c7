"""CORS headers, and the refusal of web pages of foreign origins. ``origins`` has the rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask import Response, request

from rest_adapter.errors import ForeignOrigin, Misdirected
from rest_adapter.http.origins import Asked, OriginRules
from rest_adapter.json.encoding import show

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Key of the WSGI environment under which ``handler`` puts the server's own IP address, where the client found it.
ADDRESS_KEY = "slotline.address"
#: Seconds for which a browser may keep the answer to a preflight.
_MAX_AGE_S = 600
_SAFE_METHODS = ("GET", "HEAD")
#: What ``Access-Control-Request-Headers`` may hold to be repeated in the answer.
_HEADER_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z, \t-]*")


def refuse_foreigners(rules: OriginRules) -> None:
    """Refuse the current request if its Host is wrong, or if a foreign page asks for more than to read.

    Browsers let every page send what a form could send to any server, and only keep the answer from it. So requests
    that could change something are refused unless the page may read the answer, too.

    Raises:
        ForeignOrigin: a page wants more than to read, and may not.
        Misdirected: the header Host does not name this server.
    """
    asked = _asked()
    if not rules.allow_host(asked.host):
        raise Misdirected(
            f"Host: {show(asked.host)} is no name of this server; without API keys, and where only this machine "
            "reaches it, allowed are IP addresses, localhost and the names in --allowed-hosts"
        )
    if request.method not in _SAFE_METHODS and not rules.allow_origin(asked):
        raise ForeignOrigin(
            f"Origin: {show(asked.origin)} may not use this server; without API keys, allowed are pages of this "
            "machine and the origins in --cors-origins"
        )


def preflight(methods: Iterable[str]) -> Response:
    """The answer to OPTIONS, for pages that ask beforehand what they may send.

    Args:
        methods: those that the path takes, without OPTIONS; none if there is no such path. The page can then send what
            forms can send, and read the 404.
    """
    response = Response(status=200)
    del response.headers["Content-Type"]
    if known := sorted(methods):
        response.headers["Allow"] = ", ".join(sorted({*known, "OPTIONS"}))
        response.headers["Access-Control-Allow-Methods"] = ", ".join(known)
    asked = request.headers.get("Access-Control-Request-Headers", "")
    # Unknown headers are ignored, so all are allowed.
    response.headers["Access-Control-Allow-Headers"] = asked if asked and _HEADER_NAMES.fullmatch(asked) else "*"
    response.headers["Access-Control-Max-Age"] = str(_MAX_AGE_S)
    response.vary.update(["Access-Control-Request-Headers"])
    return response


def add_cors_headers(rules: OriginRules, response: Response) -> None:
    """Tell a browser whether the page that asked may read the answer."""
    asked = _asked()
    response.vary.add("Origin")
    if not rules.allow_host(asked.host) or not rules.allow_origin(asked):
        return
    if asked.origin:
        response.headers["Access-Control-Allow-Origin"] = asked.origin
    if rules.allow_credentials(asked) and (asked.origin or request.method == "OPTIONS"):
        response.headers["Access-Control-Allow-Credentials"] = "true"


def _asked() -> Asked:
    headers = request.headers
    return Asked(
        origin=headers.get("Origin") or None,
        host=headers.get("Host"),
        address=request.environ.get(ADDRESS_KEY, ""),
        is_same_origin=headers.get("Sec-Fetch-Site") == "same-origin",
    )
