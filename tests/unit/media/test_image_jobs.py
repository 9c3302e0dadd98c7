"""What waits for the process that encodes pictures: each picture once, in order, as long as somebody wants it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from service.errors import Draining, ImageWorkerLost, QueueFull
from service.media.cache import EmbeddingCache
from service.media.encoder import EncodedPicture, UnusablePicture
from service.media.jobs import BadJob, Job, Jobs, PictureKey
from tests.unit.media.test_image_cache import picture


class Woken:
    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def jobs(woken: Woken) -> Jobs:
    return Jobs(EmbeddingCache(1 << 20), max_waiting=3, wake=woken)


def files(*names: str, salt: str = "") -> tuple[list[PictureKey], dict[PictureKey, bytes]]:
    keys = [PictureKey(name.encode(), salt) for name in names]
    return keys, {key: b"file " + key.content for key in keys}


def take(jobs: Jobs) -> Job:
    job = jobs.take()
    assert job is not None
    return job


def finish(jobs: Jobs, name: str) -> EncodedPicture:
    job = take(jobs)
    assert job.key.content == name.encode()
    made = picture(name)
    jobs.finish(job, made, encode_s=0.5)
    return made


def test_pictures_are_taken_in_the_order_in_which_they_came(jobs: Jobs, woken: Woken) -> None:
    jobs.claim(*files("a", "b"))
    jobs.claim(*files("c"))
    assert woken.times == 2
    assert [take(jobs).data for _ in range(3)] == [b"file a", b"file b", b"file c"]
    assert jobs.take() is None


def test_equal_pictures_are_one_job(jobs: Jobs) -> None:
    first, _ = jobs.claim(*files(*"aaaa"))
    second, _ = jobs.claim(*files("a"))
    made = finish(jobs, "a")
    assert jobs.take() is None
    for claim in (first, second):
        claim.wait(lambda: False)
        assert claim.jobs[PictureKey(b"a")].outcome is made
    counts = jobs.counts()
    assert (counts.n_encoded, counts.n_hits, counts.encode_s) == (1, 4, 0.5)


def test_a_picture_that_is_kept_is_no_job(jobs: Jobs) -> None:
    jobs.claim(*files("a"))
    made = finish(jobs, "a")
    claim, found = jobs.claim(*files("a", "b"))
    assert found == {PictureKey(b"a"): made}
    assert list(claim.jobs) == [PictureKey(b"b")]


def test_more_pictures_than_may_wait_are_refused_and_none_of_them_waits(jobs: Jobs) -> None:
    jobs.claim(*files("a", "b"))
    with pytest.raises(QueueFull, match="3 pictures are waiting") as caught:
        jobs.claim(*files("c", "d"))
    assert caught.value.retry_after_s == 2.0
    assert jobs.counts().n_waiting == 2
    jobs.claim(*files("c", "a"))  # of which one is new
    assert jobs.counts().n_waiting == 3


def test_a_request_with_many_pictures_is_taken_while_none_waits(jobs: Jobs) -> None:
    jobs.claim(*files(*"abcdef"))
    assert jobs.counts().n_waiting == 6
    jobs.claim(*files("f", "a"))  # which wait already


def test_when_to_try_again_follows_from_how_long_pictures_take(jobs: Jobs) -> None:
    jobs.claim(*files("a"))
    jobs.finish(take(jobs), picture("a"), encode_s=20.0)
    jobs.claim(*files("b", "c", "d"))
    with pytest.raises(QueueFull) as caught:
        jobs.claim(*files("e"))
    assert caught.value.retry_after_s == 60.0


def test_a_picture_that_nobody_wants_any_more_is_not_encoded(jobs: Jobs) -> None:
    first, _ = jobs.claim(*files("a", "b"))
    jobs.claim(*files("b"))
    jobs.leave(first)
    assert take(jobs).key.content == b"b"
    assert jobs.take() is None


def test_pictures_are_shared_between_equal_salts_only(jobs: Jobs) -> None:
    for salt in ("one", "two"):
        claim, found = jobs.claim(*files("a", salt=salt))
        assert not found
        finish(jobs, "a")
        jobs.leave(claim)
    assert jobs.claim(*files("a", salt="one"))[1]
    assert jobs.counts().n_hits == 1


def test_an_offence_counts_whoever_sends_the_picture(jobs: Jobs) -> None:
    for salt in ("one", "two"):
        jobs.claim(*files("a", salt=salt))
        jobs.fail(take(jobs), BadJob("ends the process"), is_offence=True)
    with pytest.raises(UnusablePicture, match="is not tried again"):
        jobs.claim(*files("a", salt="three"))


def test_a_job_that_was_given_up_is_not_joined(jobs: Jobs) -> None:
    first, _ = jobs.claim(*files("a"))
    running = take(jobs)
    jobs.leave(first)
    assert running.claims == set()
    jobs.claim(*files("a"))
    assert take(jobs) is not running


def test_what_was_encoded_for_nobody_is_kept_all_the_same(jobs: Jobs) -> None:
    claim, _ = jobs.claim(*files("a"))
    job = take(jobs)
    jobs.leave(claim)
    jobs.finish(job, picture("a"), encode_s=1.0)
    _, found = jobs.claim(*files("a"))
    assert list(found) == [PictureKey(b"a")]


def test_one_failure_ends_a_wait_for_many(jobs: Jobs) -> None:
    claim, _ = jobs.claim(*files("a", "b"))
    job = take(jobs)
    jobs.fail(job, BadJob("is no picture"))
    claim.wait(lambda: False)
    assert str(job.outcome) == "is no picture"
    assert jobs.counts().n_failed == 1


def test_a_failure_is_not_remembered(jobs: Jobs) -> None:
    for _ in range(5):
        claim, found = jobs.claim(*files("a"))
        assert not found
        jobs.fail(take(jobs), BadJob("is damaged"))
        jobs.leave(claim)


def test_a_picture_that_ended_two_processes_is_not_tried_again(jobs: Jobs) -> None:
    for _ in range(2):
        claim, _ = jobs.claim(*files("a"))
        jobs.fail(take(jobs), BadJob("ends the process"), is_offence=True)
        jobs.leave(claim)
    with pytest.raises(UnusablePicture, match="is not tried again") as caught:
        jobs.claim(*files("b", "a"))
    assert caught.value.index == 1
    assert jobs.take() is None


def test_a_picture_that_was_encoded_in_the_end_is_forgiven() -> None:
    jobs = Jobs(EmbeddingCache(0), max_waiting=3, wake=lambda: None)
    for _ in range(3):
        jobs.claim(*files("a"))
        jobs.fail(take(jobs), BadJob("ends the process"), is_offence=True)
        jobs.claim(*files("a"))
        jobs.finish(take(jobs), picture("a"), encode_s=0.0)
    assert jobs.counts().n_encoded == 3


def test_a_job_whose_process_was_lost_is_the_next_one(jobs: Jobs) -> None:
    claim, _ = jobs.claim(*files("a", "b"))
    lost = take(jobs)
    jobs.put_back(lost)
    assert take(jobs) is lost
    jobs.leave(claim)
    jobs.put_back(lost)  # nobody wants it any more
    assert jobs.take() is None


def test_all_that_waits_fails_when_no_process_starts(jobs: Jobs) -> None:
    claim, _ = jobs.claim(*files("a", "b"))
    jobs.fail_all(ImageWorkerLost("it does not start"))
    claim.wait(lambda: False)
    assert [type(job.outcome) for job in claim.jobs.values()] == [ImageWorkerLost, ImageWorkerLost]
    assert jobs.counts().n_waiting == 0


def test_closing_ends_all_waits_and_takes_no_more(jobs: Jobs) -> None:
    claim, _ = jobs.claim(*files("a", "b"))
    take(jobs)  # runs
    jobs.close()
    claim.wait(lambda: False)
    assert [type(job.outcome) for job in claim.jobs.values()] == [Draining, Draining]
    with pytest.raises(Draining):
        jobs.claim(*files("c"))
    assert jobs.is_closed


def test_a_wait_ends_when_it_is_woken_after_its_caller_has_gone(jobs: Jobs) -> None:
    claim, _ = jobs.claim(*files("a"))
    gone: list[bool] = []
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(claim.wait, lambda: bool(gone))
        claim.wake()  # for nothing
        assert not waiting.done()
        gone.append(True)
        claim.wake()
        waiting.result()
