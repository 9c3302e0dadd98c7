"""CORS headers, and the refusal of web pages of foreign origins. ``origins`` has the rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.errors import ForeignOrigin, Misdirected
from rest_adapter.http.origins import Asked, OriginRules
from rest_adapter.http.responses import Answer
from rest_adapter.json.encoding import show

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import WSGIEnvironment

#: Key of the WSGI environment under which ``handler`` puts the server's own IP address, where the client found it.
ADDRESS_KEY = "slotline.address"
#: Seconds for which a browser may keep the answer to a preflight.
_MAX_AGE_S = 600
#: What ``Access-Control-Request-Headers`` may hold to be repeated in the answer.
_HEADER_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z, \t-]*")


def asked_by(environ: WSGIEnvironment) -> Asked:
    """What a request says about where it comes from and goes to."""
    get = environ.get
    return Asked(
        origin=get("HTTP_ORIGIN") or None,
        host=get("HTTP_HOST"),
        address=get(ADDRESS_KEY, ""),
        is_same_origin=get("HTTP_SEC_FETCH_SITE") == "same-origin",
    )


def refuse_foreigners(rules: OriginRules, asked: Asked, *, is_harmless: bool) -> None:
    """Refuse a request if its Host is wrong, or if a foreign page asks for more than to read.

    Browsers let every page send what a form could send to any server, and only keep the answer from it. So requests
    that could change something are refused unless the page may read the answer, too.

    Args:
        rules: who may do what.
        asked: where the request comes from, and where it goes.
        is_harmless: it can change nothing.

    Raises:
        ForeignOrigin: a page wants more than to read, and may not.
        Misdirected: the header Host does not name this server.
    """
    if not rules.allow_host(asked.host):
        raise Misdirected(
            f"Host: {show(asked.host)} is no name of this server; without API keys, and where only this machine "
            "reaches it, allowed are IP addresses, localhost and the names in --allowed-hosts"
        )
    if not is_harmless and not rules.allow_origin(asked):
        raise ForeignOrigin(
            f"Origin: {show(asked.origin)} may not use this server; without API keys, allowed are pages of this "
            "machine and the origins in --cors-origins"
        )


@dataclass(frozen=True, slots=True)
class Promises:
    """What the answer to a preflight promises to pages.

    Attributes:
        methods: which methods they may use; None for those that the path takes.
        headers: which headers they may send; None for those that they ask for.
    """

    methods: tuple[str, ...] | None = None
    headers: tuple[str, ...] | None = None

    @classmethod
    def of(cls, shape: ApiShape, methods: tuple[str, ...] | None, headers: tuple[str, ...] | None) -> Promises:
        """What was configured, None for nothing, and for that what is usual in a shape."""
        usual = _NOW if shape is ApiShape.NOW else cls()
        return cls(methods or usual.methods, headers or usual.headers)


#: llama.cpp's server of today.
_NOW = Promises(("GET", "POST", "DELETE", "OPTIONS"), ("*",))


def preflight(methods: Iterable[str], environ: WSGIEnvironment, promises: Promises) -> Answer:
    """The answer to OPTIONS, for pages that ask beforehand what they may send.

    Args:
        methods: those that the path takes, without OPTIONS; none if there is no such path. Unless promises name
            methods, the page can then send what forms can send, and read the 404.
        environ: of the request.
        promises: what it says whatever the path.
    """
    headers: list[tuple[str, str]] = []
    known = sorted(methods)
    if known:
        headers.append(("Allow", ", ".join(sorted({*known, "OPTIONS"}))))
    if promised := promises.methods or known:
        headers.append(("Access-Control-Allow-Methods", ", ".join(promised)))
    wanted = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    # Unknown headers are ignored, so all are allowed. For browsers, * does not stand for Authorization.
    allowed = wanted if wanted and _HEADER_NAMES.fullmatch(wanted) else "*"
    headers.append(("Access-Control-Allow-Headers", ", ".join(promises.headers) if promises.headers else allowed))
    headers.append(("Access-Control-Max-Age", str(_MAX_AGE_S)))
    headers.append(("Vary", "Access-Control-Request-Headers"))
    return Answer([], headers=headers)


def add_cors_headers(rules: OriginRules, asked: Asked, method: str, answer: Answer) -> None:
    """Tell a browser whether the page that asked may read the answer."""
    answer.vary_with("Origin")
    # Who is no page has no use for the rest.
    is_preflight = method == "OPTIONS"
    if not (asked.origin or is_preflight) or not rules.allow_host(asked.host) or not rules.allow_origin(asked):
        return
    if asked.origin:
        answer.headers.append(("Access-Control-Allow-Origin", asked.origin))
    if rules.allow_credentials(asked):
        answer.headers.append(("Access-Control-Allow-Credentials", "true"))
