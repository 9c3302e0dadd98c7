"""docs/metrics.md against the declarations of the metrics."""

from __future__ import annotations

import pytest

from rest_adapter.apis.native.metrics.reply import LLAMA_METRICS, OWN_METRICS
from service.api.metrics.declarations import METRICS as CORE_METRICS
from service.api.metrics.metric import Metric, MetricType
from tools.document_metrics import PAGE, tables, with_tables

ROWS = [Metric("a_total", MetricType.COUNTER, "tokens", lambda now: 1, "Tokens.")]


def test_the_page_is_what_the_declarations_say() -> None:
    page = PAGE.read_text()
    assert page == with_tables(page, tables()), "run `make docs`"


def test_every_metric_of_ours_is_in_one_table() -> None:
    shown = [metric for metrics in tables().values() for metric in metrics]
    declared = [metric.name for metric in CORE_METRICS]
    declared += [metric.name for metrics in (OWN_METRICS, *LLAMA_METRICS.values()) for metric in metrics]
    assert sorted(metric.name for metric in shown) == sorted(declared)
    names = [metric.name for metric in shown if metric.name.startswith("slotline_")]
    assert len(names) == len(set(names))


def test_what_is_written_by_hand_stays() -> None:
    page = "# Head\n\n<!-- table: t -->\nold\n<!-- end of table -->\n\nTail\n"
    assert with_tables(page, {"t": ROWS}) == (
        "# Head\n\n<!-- table: t -->\n| metric | type | unit | meaning |\n|---|---|---|---|\n"
        "| `a_total` | counter | tokens | Tokens. |\n<!-- end of table -->\n\nTail\n"
    )


@pytest.mark.parametrize("names", [[], ["t", "t"], ["t", "u"]])
def test_a_page_without_exactly_its_tables_is_refused(names: list[str]) -> None:
    page = "".join(f"<!-- table: {name} -->\n<!-- end of table -->\n" for name in names)
    with pytest.raises(ValueError, match=r"wanted are \['t'\]"):
        with_tables(page, {"t": ROWS})
