"""Pages of other origins, as a browser judges them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.fake_core import FakeCore, whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser

_ASK = """async ([url, key]) => {
  const headers = { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
  const told = [];
  for (const [path, options] of [
    ["/health", { headers }],
    ["/completion", { method: "POST", headers, body: '{"prompt":"a"}' }],
    ["/nothing", { method: "POST", headers, body: "{}" }],
    ["/completion.js", {}],
  ]) {
    told.push(await fetch(url + path, options).then((response) => response.status, String));
  }
  return told;
}"""


@pytest.mark.parametrize("key", ["", "k"])
def test_a_page_of_another_port_may_use_every_route(
    core: FakeCore, serve: Callable[..., str], chromium: Browser, tmp_path: Path, key: str
) -> None:
    core.script = lambda request: whole("b")
    (tmp_path / "empty.html").write_text("<!doctype html>")
    # To the browser this is another origin, and what it sends has to be asked for beforehand.
    elsewhere = serve(static_path=str(tmp_path)).replace("127.0.0.1", "localhost")
    page = chromium.new_page()
    page.goto(elsewhere + "/empty.html")
    url = serve(api_keys=(key,) if key else ())
    assert page.evaluate(_ASK, [url, key]) == [200, 200, 404, 200]
    page.close()
