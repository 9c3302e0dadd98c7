"""The web page in a browser: first paint, what it transfers, and how smooth a long answer is while it streams.

The answer comes from the core without a model, so that neither a model's speed nor its work on the same cores counts.
It is one long paragraph, of which the page has to draw all again with every piece: the hardest text there is.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwright.sync_api import Browser, Page, sync_playwright

from bench.harness.errors import BenchError
from bench.harness.paced_adapter import adapter_before_paced_core
from bench.harness.report import Figure, Goal, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.settings import Settings

#: Tokens of the long answer.
_TOKENS = 2000
_STEP_MS = 5.0
_PATIENCE_MS = 120_000
_KILOBYTE = 1000

# Runs before the page's own scripts: remembers the longest distance of two frames, the longest task, and when the
# field for messages was there.
_WATCH = """
const seen = { frameMs: 0, taskMs: 0, readyMs: 0 };
globalThis.benchSeen = seen;
let last = performance.now();
function onFrame(now) {
  seen.frameMs = Math.max(seen.frameMs, now - last);
  last = now;
  if (!seen.readyMs && document.querySelector("textarea")) seen.readyMs = now;
  requestAnimationFrame(onFrame);
}
requestAnimationFrame(onFrame);
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) seen.taskMs = Math.max(seen.taskMs, duration);
}).observe({ type: "longtask" });
"""
_FIRST_PAINT = "() => performance.getEntriesByName('first-paint')[0].startTime"
_SEND = """() => Object.assign(benchSeen, { frameMs: 0, taskMs: 0 })"""


@dataclass(frozen=True, slots=True)
class _Visit:
    """One visit with an empty cache."""

    first_paint_ms: float
    ready_ms: float
    transferred_kb: float
    frame_ms: float
    task_ms: float


def run(settings: Settings) -> Result:
    """Visit the page and ask for a long answer, as often as there are rounds.

    Raises:
        BenchError: there is no browser, or a server ended.
    """
    with adapter_before_paced_core(_STEP_MS) as adapter, _browser() as browser:
        visits = [_visit(browser, adapter.url) for _ in range(settings.repeats)]
    figures = (
        Figure("first paint", "ms", tuple(one.first_paint_ms for one in visits), Goal("at most", 300.0)),
        Figure("field for messages", "ms", tuple(one.ready_ms for one in visits)),
        Figure("transferred", "kB", tuple(one.transferred_kb for one in visits), Goal("at most", 400.0)),
        Figure("longest frame of the answer", "ms", tuple(one.frame_ms for one in visits), Goal("at most", 100.0)),
        Figure("longest task of the answer", "ms", tuple(one.task_ms for one in visits), Goal("at most", 100.0)),
    )
    title = f"the web page in Chromium; an answer of {_TOKENS} tokens, {_STEP_MS:g} ms apart"
    notes = ("tasks shorter than 50 ms are not told by browsers and count as 0",)
    return Result("page", title, figures, notes)


def _visit(browser: Browser, url: str) -> _Visit:
    with browser.new_context() as context:
        context.set_default_timeout(_PATIENCE_MS)
        # In the page's own storage, as if somebody had set it there.
        context.add_init_script(f"localStorage.setItem('slotline.options', '{{\"n_predict\": {_TOKENS}}}');")
        context.add_init_script(_WATCH)
        page = context.new_page()
        page.goto(url)
        message = page.get_by_role("textbox", name="Message", exact=True)
        message.fill("Tell me a story")
        first_paint_ms: float = page.evaluate(_FIRST_PAINT)
        transferred_kb = _transferred_kb(page)
        page.evaluate(_SEND)
        message.press("Enter")
        page.get_by_role("button", name="Stop", exact=True).wait_for(state="visible")
        page.get_by_role("button", name="Stop", exact=True).wait_for(state="hidden")
        seen: dict[str, float] = page.evaluate("() => benchSeen")
        return _Visit(first_paint_ms, seen["readyMs"], transferred_kb, seen["frameMs"], seen["taskMs"])


def _transferred_kb(page: Page) -> float:
    """Bodies and headers of all answers so far, as the page's own clock lists them."""
    script = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .reduce((sum, entry) => sum + entry.transferSize, 0)"""
    page.wait_for_load_state("networkidle")
    size: float = page.evaluate(script)
    return size / _KILOBYTE


@contextlib.contextmanager
def _browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise BenchError("chromium is missing; install it with your system's package manager")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()
