"""Which server a call is made to, and what its failures mean."""

from __future__ import annotations

import grpc
import pytest

from slotline.client import SlotlineError, StreamLost, Tls
from slotline.client.attempts import Attempts, Progress, Targets, n_sequences_of
from slotline.client.connection import channel_options, targets_of
from slotline.v1 import generation_pb2

BUSY = grpc.StatusCode.RESOURCE_EXHAUSTED
GONE = grpc.StatusCode.UNAVAILABLE
ACCEPTED = generation_pb2.GenerateResponse(accepted=generation_pb2.Accepted())
FINISHED = generation_pb2.GenerateResponse(finished=generation_pb2.Finished())


def refusal(code: grpc.StatusCode, retry_after_s: float | None = None, domain: str = "slotline") -> SlotlineError:
    """The failure of a call."""
    return SlotlineError(code, "refused", domain=domain, retry_after_s=retry_after_s)


def test_without_a_key_servers_take_turns_and_with_one_they_do_not() -> None:
    targets = Targets(["a", "b", "c"])
    assert [targets.order("")[0] for _ in range(4)] == ["a", "b", "c", "a"]
    assert targets.order("")[:2] == ["b", "c"]
    assert targets.order("key") == targets.order("key")


def test_a_call_is_offered_to_each_server_once() -> None:
    attempts = Attempts(["a", "b", "c"], None)
    seen = [attempts.target]
    for code in (BUSY, GONE):
        attempts.refused(refusal(code))
        seen.append(attempts.target)
    with pytest.raises(SlotlineError):
        attempts.refused(refusal(GONE))
    assert seen == ["a", "b", "c"]


def test_the_last_refusal_has_the_shortest_time_to_wait() -> None:
    attempts = Attempts(["a", "b"], None)
    attempts.refused(refusal(BUSY, 0.5))
    with pytest.raises(SlotlineError) as caught:
        attempts.refused(refusal(BUSY, 3.0))
    assert caught.value.retry_after_s == 0.5


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED]
)
def test_what_every_server_would_say_is_not_offered_to_the_next_one(code: grpc.StatusCode) -> None:
    with pytest.raises(SlotlineError):
        Attempts(["a", "b"], None).refused(refusal(code))


def test_nothing_is_tried_after_the_deadline() -> None:
    attempts = Attempts(["a", "b"], 0.0)
    assert attempts.remaining_s == 0.0
    with pytest.raises(SlotlineError):
        attempts.refused(refusal(GONE))


def test_nothing_is_tried_again_once_a_stream_was_accepted() -> None:
    attempts, progress = Attempts(["a", "b"], None), Progress(1)
    attempts.failed(refusal(GONE), progress)
    assert attempts.target == "b"
    progress.note(ACCEPTED)
    with pytest.raises(StreamLost):
        attempts.failed(refusal(GONE, domain=""), progress)


@pytest.mark.parametrize(
    ("failure", "deadline_s", "is_lost"),
    [
        (refusal(GONE, domain=""), None, True),
        (refusal(GONE, domain="another"), None, True),
        (refusal(grpc.StatusCode.CANCELLED, domain=""), None, True),
        (refusal(grpc.StatusCode.INTERNAL), None, False),
        (refusal(grpc.StatusCode.DEADLINE_EXCEEDED, domain=""), 60.0, True),
        (refusal(grpc.StatusCode.DEADLINE_EXCEEDED, domain=""), 0.0, False),
        (refusal(grpc.StatusCode.DEADLINE_EXCEEDED), None, False),
    ],
)
def test_an_accepted_stream_is_lost_unless_a_core_or_the_own_deadline_ended_it(
    failure: SlotlineError, deadline_s: float | None, is_lost: bool
) -> None:
    progress = Progress(1)
    progress.note(ACCEPTED)
    with pytest.raises(SlotlineError) as caught:
        Attempts(["a"], deadline_s).failed(failure, progress)
    assert isinstance(caught.value, StreamLost) is is_lost
    assert caught.value.code is failure.code


def test_a_stream_is_whole_when_all_of_its_sequences_have_finished() -> None:
    progress = Progress(n_sequences_of(generation_pb2.GenerateRequest(num_sequences=2)))
    progress.note(ACCEPTED)
    progress.note(FINISHED)
    with pytest.raises(StreamLost):
        progress.check_end()
    progress.note(FINISHED)
    progress.check_end()
    assert n_sequences_of(generation_pb2.GenerateRequest()) == 1


@pytest.mark.parametrize(
    ("given", "error"), [([], ValueError), ("", ValueError), (["a", ""], ValueError), ([1], TypeError)]
)
def test_targets_that_are_none_are_refused(given: list[str], error: type[Exception]) -> None:
    with pytest.raises(error, match="targets: "):
        targets_of(given)


def test_targets_that_repeat_count_once() -> None:
    assert targets_of("a:1") == ["a:1"]
    assert targets_of(["a:1", "b:1", "a:1"]) == ["a:1", "b:1"]


def test_a_certificate_without_its_key_is_refused() -> None:
    for tls in (Tls(cert="a.pem"), Tls(key="a.key")):
        with pytest.raises(ValueError, match="allowed are both or none"):
            tls.credentials()
    with pytest.raises(FileNotFoundError):
        Tls(ca="/nothing").credentials()


def test_the_name_in_a_certificate_may_be_another_one() -> None:
    assert ("grpc.ssl_target_name_override", "core") in channel_options(Tls(server_name="core"))
    assert channel_options(Tls()) == channel_options(None)
