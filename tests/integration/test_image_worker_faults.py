"""Whatever happens to the process that encodes pictures: one request learns of it, and the next picture is answered."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from service.errors import Draining, ImageWorkerLost, QueueFull
from service.media.encoder import UnusablePicture, WorkerState
from service.prompts.work import Abandoned, Work
from tests.support import image_files as files
from tests.support.image_encoders import (
    Encoders,
    Encoding,
    media_of,
    pid_of,
    wait_for_other_process,
    wait_until_busy,
    wait_until_idle,
    write_slow_projector,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.media.worker_encoder import WorkerEncoder
    from tests.support.seeing_model import SeeingModels

RED = files.plain(32, 32)


@pytest.fixture(scope="module")
def slow_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slow_projector(tmp_path_factory.mktemp("slow"))


@pytest.fixture
def encoders(seeing: SeeingModels) -> Iterator[Encoders]:
    made = Encoders(seeing.default)
    yield made
    made.close()


@pytest.fixture
def slow(encoders: Encoders, slow_path: Path) -> WorkerEncoder:
    """Takes about a second for a picture."""
    return encoders.start(slow_path)


@pytest.fixture
def quick(encoders: Encoders, seeing: SeeingModels) -> WorkerEncoder:
    return encoders.start(seeing.projector("causal").path)


def picture(seed: int) -> bytes:
    return files.encoded(files.noise(64, 64, seed))


def kill(encoder: WorkerEncoder, number: signal.Signals = signal.SIGKILL) -> int:
    pid = pid_of(encoder)
    os.kill(pid, number)
    return pid


def test_killed_while_idle_it_is_replaced_and_nobody_notices(quick: WorkerEncoder) -> None:
    pid = kill(quick)
    assert media_of(quick.encode([RED], Work())[0])
    assert quick.pid != pid
    assert quick.counts().n_restarts == 1
    assert quick.counts().n_failed == 0


def test_killed_during_an_encode_the_picture_is_tried_once_more(slow: WorkerEncoder) -> None:
    encoding = Encoding(slow, [picture(1)])
    wait_until_busy(slow)
    kill(slow)
    assert media_of(encoding.result()[0])
    counts = slow.counts()
    assert (counts.n_restarts, counts.n_encoded, counts.n_failed) == (1, 1, 0)


def test_killed_twice_over_a_picture_the_request_is_told_and_may_come_again(slow: WorkerEncoder) -> None:
    encoding = Encoding(slow, [picture(1)])
    wait_until_busy(slow)
    first = kill(slow)
    wait_until("the second encode", lambda: slow.pid not in (None, first) and slow.state is WorkerState.BUSY)
    kill(slow)
    with pytest.raises(ImageWorkerLost, match=r"has ended \(SIGKILL\), twice; try again"):
        encoding.result()
    assert media_of(slow.encode([picture(1)], Work())[0])


def test_killed_after_an_encode_its_rows_stay(quick: WorkerEncoder) -> None:
    (before,) = quick.encode([RED], Work())
    pid = kill(quick)
    assert quick.encode([RED], Work()) == [before]
    wait_for_other_process(quick, pid)
    assert media_of(quick.encode([picture(1)], Work())[0])


@pytest.mark.parametrize("when", ["idle", "busy"])
def test_stopped_it_is_replaced_once_it_has_made_no_progress(encoders: Encoders, slow_path: Path, when: str) -> None:
    encoder = encoders.start(slow_path, stall_s=0.5)
    if when == "idle":
        pid = kill(encoder, signal.SIGSTOP)
    encoding = Encoding(encoder, [picture(1)])
    if when == "busy":
        wait_until_busy(encoder)
        pid = kill(encoder, signal.SIGSTOP)
    assert media_of(encoding.result()[0])
    assert encoder.pid != pid


@pytest.mark.parametrize("when", ["idle", "busy"])
def test_stopped_it_holds_nobody_up_who_has_gone(slow: WorkerEncoder, when: str) -> None:
    """A deadline that passes abandons the work."""
    if when == "idle":
        pid = kill(slow, signal.SIGSTOP)
    encoding = Encoding(slow, [picture(1)])
    wait_until_busy(slow)
    if when == "busy":
        pid = kill(slow, signal.SIGSTOP)
    encoding.work.abandon()
    with pytest.raises(Abandoned):
        encoding.result()
    wait_for_other_process(slow, pid)
    assert media_of(slow.encode([picture(2)], Work())[0])


def test_an_encode_that_nobody_wants_ends_and_the_process_stays(slow: WorkerEncoder) -> None:
    pid = slow.pid
    encoding = Encoding(slow, [picture(1)])
    wait_until_busy(slow)
    encoding.work.abandon()
    with pytest.raises(Abandoned):
        encoding.result()
    wait_until_idle(slow)
    counts = slow.counts()
    assert (counts.n_encoded, counts.n_failed, counts.n_restarts) == (0, 0, 0)
    assert media_of(slow.encode([picture(1)], Work())[0])
    assert slow.pid == pid


def test_an_encode_that_somebody_else_wants_goes_on(slow: WorkerEncoder) -> None:
    first, second = Encoding(slow, [picture(1)]), Encoding(slow, [picture(1)])
    wait_until_busy(slow)
    wait_until("the second request", lambda: slow.counts().n_hits == 1)
    first.work.abandon()
    with pytest.raises(Abandoned):
        first.result()
    assert media_of(second.result()[0])
    assert slow.counts().n_encoded == 1


def test_a_decoder_that_nobody_waits_for_is_ended_with_its_process(encoders: Encoders, seeing: SeeingModels) -> None:
    """Nothing can be asked of it meanwhile."""
    encoder = encoders.start(seeing.projector("causal").path)
    encoding = Encoding(encoder, [files.png_of(6000, 6000)])
    wait_until_busy(encoder)
    encoding.work.abandon()
    with pytest.raises(Abandoned):
        encoding.result()
    wait_until_idle(encoder)
    assert media_of(encoder.encode([RED], Work())[0])


def test_work_that_was_abandoned_before_waits_for_nothing(quick: WorkerEncoder) -> None:
    work = Work()
    work.abandon()
    with pytest.raises(Abandoned):
        quick.encode([RED], work)
    assert quick.counts().n_waiting == 0


def test_a_full_queue_refuses_and_then_takes_again(encoders: Encoders, slow_path: Path) -> None:
    encoder = encoders.start(slow_path, max_waiting_images=2)
    running = Encoding(encoder, [picture(0)])
    wait_until_busy(encoder)
    waiting = Encoding(encoder, [picture(1), picture(2)])
    wait_until("two pictures to wait", lambda: encoder.counts().n_waiting == 2)
    with pytest.raises(QueueFull, match="2 pictures are waiting; try again in"):
        encoder.encode([picture(3)], Work())
    waiting.work.abandon()
    with pytest.raises(Abandoned):
        waiting.result()
    assert encoder.counts().n_waiting == 0
    assert media_of(encoder.encode([picture(3)], Work())[0])
    assert media_of(running.result()[0])
    assert encoder.counts().n_encoded == 2


def test_a_picture_that_takes_too_long_to_decode_is_refused_and_not_tried_a_third_time(
    encoders: Encoders, seeing: SeeingModels
) -> None:
    encoder = encoders.start(seeing.projector("causal").path, image_cpu_s=0.05)
    large = files.png_of(6000, 6000)
    for _ in range(2):
        with pytest.raises(UnusablePicture, match=r"^takes more than 0\.05 s of processor time$"):
            encoder.encode([RED, large], Work())
    restarts = encoder.counts().n_restarts
    with pytest.raises(UnusablePicture, match="taken too much, 2 times; it is not tried again") as caught:
        encoder.encode([RED, large], Work())
    assert caught.value.index == 1
    assert encoder.counts().n_restarts == restarts
    assert media_of(encoder.encode([RED], Work())[0])


def test_a_picture_that_takes_too_long_to_encode_is_refused_and_the_process_stays(
    encoders: Encoders, slow_path: Path
) -> None:
    encoder = encoders.start(slow_path, image_cpu_s=0.3)
    pid = encoder.pid
    with pytest.raises(UnusablePicture, match=r"^takes more than 0\.3 s of processor time$"):
        encoder.encode([picture(1)], Work())
    wait_until_idle(encoder)
    assert (encoder.counts().n_failed, encoder.counts().n_restarts) == (1, 0)
    assert encoder.pid == pid


def test_a_picture_that_takes_too_much_memory_is_refused(encoders: Encoders, seeing: SeeingModels) -> None:
    encoder = encoders.start(seeing.projector("causal").path, picture_bytes=64 << 20)
    for _ in range(2):
        with pytest.raises(UnusablePicture, match=r"takes more than the .* MiB of memory|ends the process"):
            encoder.encode([files.png_of(6000, 6000)], Work())
    with pytest.raises(UnusablePicture, match="is not tried again"):
        encoder.encode([files.png_of(6000, 6000)], Work())
    assert media_of(encoder.encode([files.png_of(600, 600)], Work())[0])


def test_closing_ends_an_encode(slow: WorkerEncoder) -> None:
    running, waiting = Encoding(slow, [picture(1)]), Encoding(slow, [picture(2)])
    wait_until_busy(slow)
    slow.close()
    for encoding in (running, waiting):
        with pytest.raises(Draining):
            encoding.result()
    assert slow.pid is None
    with pytest.raises(Draining):
        slow.encode([RED], Work())
    slow.close()


def test_a_process_that_does_not_start_again_is_tried_until_it_does(
    encoders: Encoders, seeing: SeeingModels, tmp_path: Path
) -> None:
    path = tmp_path / "mmproj.gguf"
    shutil.copy(seeing.projector("causal").path, path)
    encoder = encoders.start(path)
    (before,) = encoder.encode([RED], Work())
    path.rename(tmp_path / "away.gguf")
    kill(encoder)
    wait_until("a failed start", lambda: encoder.state is WorkerState.FAILED)
    assert encoder.encode([RED], Work()) == [before]
    with pytest.raises(ImageWorkerLost, match=r"does not start: projector file .* cannot be used"):
        encoder.encode([picture(1)], Work())
    (tmp_path / "away.gguf").rename(path)
    wait_until_idle(encoder)
    assert media_of(encoder.encode([picture(1)], Work())[0])


def test_another_projector_in_its_place_is_not_taken(encoders: Encoders, seeing: SeeingModels, tmp_path: Path) -> None:
    path = tmp_path / "mmproj.gguf"
    shutil.copy(seeing.projector("causal").path, path)
    encoder = encoders.start(path)
    shutil.copy(seeing.projector("tiled").path, path)
    kill(encoder)
    wait_until("a failed start", lambda: encoder.state is WorkerState.FAILED)
    with pytest.raises(ImageWorkerLost, match="was replaced by another one; restart the core"):
        encoder.encode([picture(1)], Work())


def test_many_that_come_go_and_kill_leave_it_working(slow: WorkerEncoder) -> None:
    """Ten requests, some of which go at once, while the process is killed in the middle."""
    encodings = [Encoding(slow, [picture(number), picture(0)]) for number in range(10)]
    for encoding in encodings[1::2]:
        encoding.work.abandon()
    wait_until_busy(slow)
    kill(slow)
    for number, encoding in enumerate(encodings):
        if number % 2:
            with pytest.raises(Abandoned):
                encoding.result()
        else:
            assert len(encoding.result()) == 2
    wait_until_idle(slow)
    assert slow.counts().n_waiting == 0


#: Files that are as large as they may be, or larger; made when they are needed.
LARGE: dict[str, Callable[[], bytes]] = {
    "PNG": lambda: files.png_of(6300, 6300),
    "PNG with alpha": lambda: files.saved(Image.new("RGBA", (6300, 6300), (255, 0, 0, 9)), compress_level=1),
    "turned JPEG": lambda: files.turned(np.zeros((6000, 6300, 3), np.uint8), 6),
    "progressive JPEG": lambda: files.encoded(np.zeros((6000, 6300, 3), np.uint8), "JPEG", progressive=True),
    "16 bit": lambda: files.sixteen_bit_grey(40_000, 6300),
    "GIF": lambda: files.plain(6300, 6300, form="GIF"),
    "WebP": lambda: files.plain(6300, 6300, form="WEBP"),
    "BMP": lambda: files.plain(2600, 2600, form="BMP"),
    "bomb": lambda: files.png_of(12_000, 12_000),
    "bomb of one bit": lambda: files.png_of(30_000, 30_000, bits=1, colour_type=0),
}


@pytest.mark.parametrize("name", LARGE)
def test_no_picture_takes_more_than_its_memory(encoders: Encoders, seeing: SeeingModels, name: str) -> None:
    """600 MiB in the process beside what it has when it is ready, and 10 MiB in the core."""
    data = LARGE[name]()
    encoder = encoders.start(seeing.projector("causal").path)
    encoder.encode([RED], Work())
    pid = pid_of(encoder)
    before, core_before = _memory(pid, "VmRSS"), _memory(os.getpid(), "VmRSS")
    try:
        encoder.encode([data], Work())
    except UnusablePicture as error:
        assert error.problem.startswith(("has ", "takes more"))
    assert encoder.pid == pid
    assert _memory(pid, "VmHWM") - before < 600 << 20
    assert _memory(pid, "VmRSS") - before < 64 << 20
    assert _memory(os.getpid(), "VmRSS") - core_before < 10 << 20


def _memory(pid: int, name: str) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) << 10
