"""One browser and one real server for all browser tests; a fresh profile and a scripted core for each of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from rest_adapter.config import RestConfig
from tests.browser.chat_page import PATIENCE_MS, ChatPage
from tests.browser.watch import Watch
from tests.support.adapter import AdapterThread
from tests.support.fake_core import FakeCore, running_fake_core
from tests.support.node import skip_without_package
from tests.support.server_pool import AS_MAKE_RUNS_IT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.server import Server
    from tests.support.server_pool import ServerPool

#: The first has no user interface at all, which would take as much time as the pages.
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Ends with this folder: its event loop would be in the way of asynchronous tests."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def chromium(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """The system's browser, without a window."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("chromium is missing; apt-get install chromium")
    playwright: Playwright = request.getfixturevalue("playwright")
    browser = playwright.chromium.launch(executable_path=path)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def axe() -> str:
    """The script of axe, which checks a page for what some people cannot use."""
    folder = Path(__file__).resolve().parent.parent / "web"
    skip_without_package(folder, "axe-core")
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


class Visitor:
    """Opens the page in fresh profiles, and checks at the end that none of them met a fault."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._pages: list[ChatPage] = []

    def __call__(
        self,
        url: str,
        path: str = "/",
        *,
        width: int = 1280,
        height: int = 800,
        scheme: str = "light",
        script: str = "",
    ) -> ChatPage:
        """A profile with one tab.

        Args:
            url: the server, without a slash at its end.
            path: what to open there.
            width, height: size of the window.
            scheme: ``light`` or ``dark``.
            script: runs in every document before its own scripts.
        """
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            accept_downloads=True,
        )
        context.set_default_timeout(PATIENCE_MS)
        if script:
            context.add_init_script(script)
        opened = ChatPage(context.new_page(), url, Watch(context, url))
        self._pages.append(opened)
        opened.open(path)
        return opened

    def close(self) -> None:
        """Close all profiles, then fail if one of them met a fault."""
        try:
            for opened in self._pages:
                opened.watch.check()
        finally:
            for opened in self._pages:
                opened.page.context.close()


@pytest.fixture(scope="module")
def server(chromium: Browser, servers: ServerPool) -> Server:
    """The default model with four slots of 2,048 tokens, as ``make run`` starts it."""
    return servers.get(*AS_MAKE_RUNS_IT)


@pytest.fixture
def core(chromium: Browser, tmp_path: Path) -> Iterator[FakeCore]:
    """A core without an engine, whose answers a test writes."""
    with running_fake_core(tmp_path) as made:
        yield made


@pytest.fixture
def serve(core: FakeCore) -> Iterator[Callable[..., str]]:
    """Starts adapters on that core: ``serve(api_keys=("k",))`` is the URL of one with these settings."""
    adapters: list[AdapterThread] = []

    def start(**settings: object) -> str:
        config: dict[str, object] = {"core": core.address, "metrics": True, **settings}
        adapters.append(AdapterThread(RestConfig(**config)))  # type: ignore[arg-type]
        return adapters[-1].url

    yield start
    for adapter in adapters:
        adapter.close()


@pytest.fixture
def visit(chromium: Browser, serve: Callable[..., str]) -> Iterator[Visitor]:
    """Opens pages: ``visit(url)``. They close before adapters do, which would refuse what a page still asks for."""
    visitor = Visitor(chromium)
    yield visitor
    visitor.close()


@pytest.fixture
def url(serve: Callable[..., str]) -> str:
    """An adapter on that core."""
    return serve()
