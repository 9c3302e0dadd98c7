"""The monitor: what the server does, live."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.conftest import Visitor
    from tests.support.server import Server

REGIONS = ("State", "Slots", "Queue", "Memory", "Throughput")


def test_the_monitor_shows_a_busy_slot_and_the_throughput(server: Server, visit: Visitor) -> None:
    chat = visit(server.rest_url)
    monitor = chat.another_tab()
    monitor.go("Monitor")
    for name in REGIONS:
        expect(monitor.page.get_by_role("region", name=name)).to_be_visible()
    slots = monitor.page.get_by_role("region", name="Slots").get_by_role("table")
    expect(slots.get_by_role("row")).to_have_count(5)
    expect(slots.get_by_role("row").filter(has_text="idle")).to_have_count(4)

    chat.set_option("Most tokens", "2000")
    chat.switch_on("Ignore the end")
    chat.send("Tell me everything.")
    # A page in the background asks for nothing.
    monitor.page.bring_to_front()
    expect(slots.get_by_role("row").filter(has_text=re.compile("generating", re.IGNORECASE))).to_have_count(1)
    throughput = monitor.page.get_by_role("region", name="Throughput")
    expect(throughput.locator("svg").first).to_be_visible()
    expect(throughput).to_contain_text(re.compile(r"[1-9][\d.,]*"))
    chat.page.bring_to_front()
    chat.button("Stop").click()
    chat.wait_until_idle()


def test_without_metrics_the_monitor_says_what_is_missing(serve: Callable[..., str], visit: Visitor) -> None:
    monitor = visit(serve(metrics=False), "/#/monitor")
    monitor.watch.announce("501", "404")
    expect(monitor.page.get_by_text("--metrics").first).to_be_visible()
    expect(monitor.page.get_by_role("region", name="Slots").get_by_role("table")).to_be_visible()
