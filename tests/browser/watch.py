"""What a browser says while a test runs: messages, errors, and the requests that it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

#: What the page itself breaks off: a stream that was stopped, or a question still open when the page goes.
_ABORTED = "net::ERR_ABORTED"


class Watch:
    """Collects what goes wrong in a context, and where its requests go.

    Args:
        context: the tabs that are watched.
        origin: beginning of all URLs that they may ask for.

    Attributes:
        requests: all requests so far.
        responses: the answers so far.
    """

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.requests: list[Request] = []
        self.responses: list[Response] = []
        self._context = context
        self._origin = origin
        self._faults: list[str] = []
        self._announced: list[str] = []
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("requestfailed", self._on_failure)
        context.on("request", self._on_request)
        context.on("response", self._on_response)

    def announce(self, *texts: str) -> None:
        """Faults whose words contain one of these texts belong to the test."""
        self._announced.extend(texts)

    def check(self) -> None:
        """Fail if there was a fault that nobody announced."""
        # Any answer: what happened before has been reported by then.
        self._context.cookies()
        surprises = [fault for fault in self._faults if not any(text in fault for text in self._announced)]
        assert not surprises, "\n".join(surprises)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._faults.append(f"console {message.type}: {message.text} ({message.location['url']})")

    def _on_error(self, error: WebError) -> None:
        self._faults.append(f"uncaught: {error.error}")

    def _on_failure(self, request: Request) -> None:
        if request.failure != _ABORTED:
            self._faults.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _on_request(self, request: Request) -> None:
        self.requests.append(request)
        if not request.url.startswith((self._origin + "/", "data:", "blob:")):
            self._faults.append(f"another host: {request.url}")

    def _on_response(self, response: Response) -> None:
        self.responses.append(response)
