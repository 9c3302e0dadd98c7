"""What takes long is done beside the hub: other greenlets run in the meantime."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import gevent
import pytest
from flask import Flask

from rest_adapter.apis.serving.app_context import AppContext
from rest_adapter.apis.serving.limiter import Limiter
from rest_adapter.apis.serving.reading import SMALL_BODY_BYTES, read_body
from rest_adapter.config import RestConfig
from rest_adapter.core.calls import GET_MODEL
from rest_adapter.errors import InvalidBody, InvalidRequest
from rest_adapter.http.background import SWITCH_INTERVAL_S, BackgroundThread
from rest_adapter.http.counts import ResponseCounts
from rest_adapter.http.keys import ApiKeys
from rest_adapter.json.incremental import Bounds
from slotline.v1.model_pb2 import GetModelResponse, Model
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

WAIT_S = 60.0


def app_context_with(core: MemoryCore) -> AppContext:
    return AppContext(core, RestConfig(), Limiter(1), ResponseCounts(), ApiKeys(()), ())


def context_of(n_ctx: int) -> MemoryCore:
    return MemoryCore(unary={GET_MODEL.path: GetModelResponse(model=Model(context_length=n_ctx))})


def test_greenlets_run_while_work_is_done() -> None:
    go_on = threading.Event()
    gevent.spawn(go_on.set)
    # Only another greenlet ends this wait.
    assert BackgroundThread().run(lambda: go_on.wait(WAIT_S))


def test_an_error_of_the_work_is_raised_and_nothing_is_said_about_it(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise InvalidBody("no")

    with pytest.raises(InvalidBody, match="no"):
        BackgroundThread().run(fail)
    assert capfd.readouterr() == ("", "")


def test_one_is_done_after_the_other_and_then_switching_is_as_before() -> None:
    usual_s = sys.getswitchinterval()
    background, inside, most = BackgroundThread(), 0, []

    def work() -> float:
        nonlocal inside
        inside += 1
        most.append(inside)
        inside -= 1
        return sys.getswitchinterval()

    jobs = [gevent.spawn(background.run, work) for _ in range(5)]
    gevent.joinall(jobs, raise_error=True)
    assert most == [1] * 5
    assert [job.value for job in jobs] == pytest.approx([SWITCH_INTERVAL_S] * 5)
    assert sys.getswitchinterval() == usual_s


def test_a_large_body_is_read_beside_the_hub_and_a_small_one_at_once() -> None:
    context, here = app_context_with(context_of(512)), threading.get_ident()

    def thread_of(body: bytes) -> int:
        with Flask("test").test_request_context(data=body):
            return read_body(context, lambda fields: threading.get_ident())

    padding = b" " * (SMALL_BODY_BYTES - 2)
    assert thread_of(b"{}" + padding) == here
    assert thread_of(b"{}" + padding + b" ") != here


def test_no_small_body_holds_more_than_a_large_one_may() -> None:
    bounds = Bounds()
    assert min(bounds.max_entries, bounds.max_numbers, bounds.max_others) >= SMALL_BODY_BYTES // 2


@pytest.mark.parametrize(
    ("core", "most"),
    [(context_of(512), 65_536), (context_of(4096), 65_536), (context_of(5000), 80_000)],
    ids=["short context", "as long as the least", "long context"],
)
def test_how_many_entries_an_array_may_have_depends_on_the_context(core: MemoryCore, most: int) -> None:
    def count_of(entries: int) -> int:
        body = b'{"a":[' + b",".join([b"12"] * entries) + b"]}"
        with Flask("test").test_request_context(data=body):
            return read_body(app_context_with(core), _count)

    assert count_of(most) == most
    with pytest.raises(InvalidRequest, match=f"a: has more than {most} entries"):
        count_of(most + 1)


def test_without_a_core_a_large_body_is_understood() -> None:
    core = MemoryCore(unary={GET_MODEL.path: UNREACHABLE})
    context = Flask("test").test_request_context(data=b'{"a":[1' + b",1" * SMALL_BODY_BYTES + b"]}")
    with context, pytest.raises(InvalidRequest, match="65536"):
        read_body(app_context_with(core), _count)


def _count(body: Mapping[str, object]) -> int:
    entries = body["a"]
    assert isinstance(entries, list)
    return len(entries)
