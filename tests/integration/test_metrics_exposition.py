"""GET /metrics of a whole server on the scripted model, read as Prometheus does, and its page in docs/."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from rest_adapter.config import RestConfig
from tests.support.adapter import WAIT_S, AdapterThread
from tests.support.scripted_core import running_core

if TYPE_CHECKING:
    from prometheus_client import Metric

PAGE = Path(__file__).resolve().parent.parent.parent / "docs/metrics.md"


def scrape(address: str) -> dict[str, Metric]:
    """The metrics after two completions with the same prompt, by name as in the text."""
    adapter = AdapterThread(RestConfig(core=address, metrics=True))
    try:
        for _ in range(2):
            body = {"prompt": "hello", "n_predict": 4, "cache_prompt": True, "temperature": 0}
            requests.post(adapter.url + "/completion", json=body, timeout=WAIT_S).raise_for_status()
        response = requests.get(adapter.url + "/metrics", timeout=WAIT_S)
    finally:
        adapter.close()
    response.raise_for_status()
    families = list(text_string_to_metric_families(response.text))
    found = {family.name + "_total" * (family.type == "counter"): family for family in families}
    assert len(found) == len(families), "a metric is there twice"
    return found


@pytest.fixture
async def scraped() -> dict[str, Metric]:
    """The metrics of a server that has worked."""
    async with running_core() as core:
        return await asyncio.to_thread(scrape, core.server.addresses[0])


def value(family: Metric, name: str, **labels: str) -> float:
    """The value of the only sample with this name and labels."""
    (found,) = [sample.value for sample in family.samples if (sample.name, sample.labels) == (name, labels)]
    return found


def test_requests_that_were_served_are_in_the_histograms(scraped: dict[str, Metric]) -> None:
    for name, count, total in (
        ("slotline_request_prompt_tokens", 2, 10),
        ("slotline_request_generated_tokens", 2, 8),
        # The second time, the first token needs no step.
        ("slotline_batch_tokens", 7, 11),
    ):
        assert value(scraped[name], f"{name}_count") == count
        assert value(scraped[name], f"{name}_sum") == total
    for name, count in (
        ("slotline_queue_seconds", 2),
        ("slotline_time_to_first_token_seconds", 2),
        ("slotline_inter_token_seconds", 6),
        ("slotline_step_seconds", 7),
    ):
        assert value(scraped[name], f"{name}_bucket", le="+Inf") == value(scraped[name], f"{name}_count") == count
    assert value(scraped["slotline_cached_prompt_tokens_total"], "slotline_cached_prompt_tokens_total") == 4
    requests_over = scraped["slotline_requests_total"]
    assert value(requests_over, "slotline_requests_total", outcome="length") == 2
    assert value(requests_over, "slotline_requests_total", outcome="failed") == 0


def test_the_page_lists_every_metric_with_its_type(scraped: dict[str, Metric]) -> None:
    # What llama.cpp's server has of today is another answer, in a table of its own.
    before, _, rest = PAGE.read_text().partition("<!-- table: as llama.cpp now -->")
    page = before + rest.partition("<!-- end of table -->")[2]
    listed = re.findall(r"^\| `([^`]+)` \| (\w+) \|", page, re.MULTILINE)
    assert len(listed) == len(dict(listed)), "a metric is listed twice"
    # Those of pictures are there with a projector alone, which this server has not.
    pictures = {name for name, _ in listed if name.startswith("slotline_image")}
    assert pictures
    assert {name: kind for name, kind in listed if name not in pictures} == {
        name: family.type for name, family in scraped.items()
    }
