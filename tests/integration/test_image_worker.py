"""The process that encodes pictures gives what numpy computes, once for each picture, for every kind of projector."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from service.errors import InvalidArgument, ProjectorFailed
from service.media.encoder import UnusablePicture
from service.prompts.work import Work
from tests.support import image_files as files
from tests.support.image_encoders import Encoders, Encoding, media_of, pid_of, tokens_of
from tests.support.seeing_model import COLOURS, PRIMARY, Kind, Projector, SeeingModels, TextModel
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.media.worker_encoder import WorkerEncoder

PAIRS: list[tuple[Kind, TextModel]] = [
    ("causal", "default"),
    ("tiled", "default"),
    ("grid", "default"),
    ("grid", "mrope"),
    ("bidirectional", "default"),
    ("bidirectional", "gemma"),
]


@pytest.fixture(scope="module")
def encoders(seeing: SeeingModels) -> Iterator[Encoders]:
    made = Encoders(seeing.default)
    yield made
    made.close()


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def projector(request: pytest.FixtureRequest, seeing: SeeingModels) -> Projector:
    return seeing.projector(*request.param)


@pytest.fixture(scope="module")
def encoder(projector: Projector, encoders: Encoders) -> WorkerEncoder:
    return encoders.start(projector.path, text_model=projector.text_model)


@pytest.fixture(scope="module")
def causal(seeing: SeeingModels, encoders: Encoders) -> WorkerEncoder:
    return encoders.start(seeing.projector("causal").path)


def test_rows_of_pure_colours_are_the_embeddings_of_their_words(encoder: WorkerEncoder, projector: Projector) -> None:
    for colour in PRIMARY if projector.kind == "bidirectional" else COLOURS:
        (picture,) = encoder.encode([files.encoded(projector.draw(colour))], Work())
        (chunk,) = media_of(picture)
        assert chunk.rows.dtype == np.float32
        assert np.array_equal(chunk.rows, np.tile(projector.words[colour].embedding, (len(chunk.rows), 1))), colour


def test_rows_come_from_left_to_right_and_from_top_to_bottom(encoder: WorkerEncoder, projector: Projector) -> None:
    lines = [
        " ".join(PRIMARY[(row + column) % 3] for column in range(projector.n_side)) for row in range(projector.n_side)
    ]
    pixels = projector.draw(*lines)
    (chunk,) = media_of(encoder.encode([files.encoded(pixels)], Work())[0])
    assert np.array_equal(chunk.rows, projector.expected_rows(pixels))
    assert len({row.tobytes() for row in chunk.rows}) == 3


def test_rows_of_any_picture_are_nearly_those_of_numpy(encoder: WorkerEncoder, projector: Projector) -> None:
    pixels = projector.draw("red")
    # Near enough to pure red for its ramp to be open in part.
    noise = files.noise(pixels.shape[0], pixels.shape[1]) // 4
    noisy = np.where(pixels > 0, pixels - noise, noise).astype(np.uint8)
    (chunk,) = media_of(encoder.encode([files.encoded(noisy)], Work())[0])
    assert np.allclose(chunk.rows, projector.expected_rows(noisy), rtol=1e-4, atol=1e-4)


def test_facts_and_chunks_say_the_same(encoder: WorkerEncoder, projector: Projector) -> None:
    facts = encoder.facts
    picture = encoder.encode([files.encoded(projector.draw("red"))], Work())[0]
    (chunk,) = media_of(picture)
    n_cells = len(chunk.rows) + sum(map(len, tokens_of(picture)))
    assert facts.min_tokens <= n_cells <= facts.max_tokens
    assert (facts.min_tokens < facts.max_tokens) == (projector.kind in ("tiled", "grid"))
    assert facts.n_embd == chunk.rows.shape[1]
    assert chunk.is_causal == (projector.kind != "bidirectional")
    assert facts.has_grid == (chunk.grid is not None) == (projector.text_model.name == "mrope.gguf")
    assert facts.max_whole == (0 if chunk.is_causal else 4)
    assert chunk.n_positions == (projector.n_side if facts.has_grid else len(chunk.rows))
    assert not chunk.rows.flags.writeable


@pytest.mark.parametrize("form", ["WEBP", "GIF", "BMP"])
def test_the_format_does_not_matter_to_rows(causal: WorkerEncoder, seeing: SeeingModels, form: str) -> None:
    pixels = seeing.projector("causal").draw("red green", "blue white")
    png, other = causal.encode([files.encoded(pixels), files.encoded(pixels, form)], Work())
    assert np.array_equal(media_of(png)[0].rows, media_of(other)[0].rows)


def test_a_picture_is_turned_before_it_is_encoded(causal: WorkerEncoder, seeing: SeeingModels) -> None:
    projector = seeing.projector("causal")
    stored = projector.draw("red green", "blue white")
    (chunk,) = media_of(causal.encode([files.turned(stored, 3, "PNG")], Work())[0])
    assert np.array_equal(chunk.rows, projector.expected_rows(stored[::-1, ::-1]))


def test_a_large_picture_becomes_tiles_with_keys_of_their_own(encoders: Encoders, seeing: SeeingModels) -> None:
    projector = seeing.projector("tiled")
    encoder = encoders.start(projector.path)
    pixels = projector.draw(
        "red red green green", "red red green green", "blue blue white white", "blue blue white white"
    )
    chunks = media_of(encoder.encode([files.encoded(pixels)], Work())[0])
    names = ["red", "green", "blue", "white"]
    for chunk, name in zip(chunks[:4], names, strict=True):
        assert np.array_equal(chunk.rows, np.tile(projector.words[name].embedding, (4, 1)))
    # The library makes the overview smaller, which mixes the colours where they meet.
    expected = np.array([projector.words[name].embedding for name in names])
    assert np.abs(chunks[4].rows - expected).max() < 1e-4
    assert len({chunk.key for chunk in chunks}) == 5


@pytest.mark.parametrize("text_model", ["default", "mrope"])
@pytest.mark.parametrize(("rows", "columns"), [(1, 8), (8, 1), (3, 5), (16, 2)])
def test_the_grid_follows_the_picture(
    encoders: Encoders, seeing: SeeingModels, text_model: TextModel, rows: int, columns: int
) -> None:
    projector = seeing.projector("grid", text_model)
    encoder = encoders.start(projector.path, text_model=projector.text_model)
    pixels = projector.draw(*([" ".join(["red"] * columns)] * rows))
    (chunk,) = media_of(encoder.encode([files.encoded(pixels)], Work())[0])
    assert len(chunk.rows) == rows * columns
    if text_model == "mrope":
        places = [(0, y, x) for y in range(rows) for x in range(columns)]
        assert chunk.grid is not None
        assert chunk.grid.dtype == np.int32
        assert np.array_equal(chunk.grid, places)
        assert chunk.n_positions == max(rows, columns)


def test_gemma_has_its_tokens_around_pictures(encoders: Encoders, seeing: SeeingModels) -> None:
    projector = seeing.projector("bidirectional", "gemma")
    encoder = encoders.start(projector.path, text_model=projector.text_model)
    start, chunk, end = encoder.encode([files.encoded(projector.draw("red"))], Work())[0]
    assert (start, end) == ((255_999,), (256_000,))
    assert not isinstance(chunk, tuple)


def test_a_picture_is_encoded_once(encoders: Encoders, seeing: SeeingModels) -> None:
    encoder = encoders.start(seeing.projector("causal").path)
    red, blue = files.plain(32, 32), files.plain(32, 32, (0, 0, 255))
    first, second, *others = encoder.encode([red, blue] + [red] * 14, Work())
    assert first != second
    assert all(picture is first for picture in others)
    assert encoder.encode([red], Work()) == [first]
    counts = encoder.counts()
    assert (counts.n_encoded, counts.n_hits, counts.n_failed) == (2, 15, 0)
    assert 0 < counts.kept_bytes < 40_000
    assert counts.encode_s > 0


def test_requests_that_want_a_picture_at_the_same_time_share_an_encode(
    encoders: Encoders, seeing: SeeingModels
) -> None:
    encoder = encoders.start(seeing.projector("causal").path, media_cache_mib=0)
    picture = files.encoded(files.noise(2000, 2000))
    encodings = [Encoding(encoder, [picture]) for _ in range(8)]
    results = [encoding.result()[0] for encoding in encodings]
    counts = encoder.counts()
    assert counts.n_encoded + counts.n_hits == 8
    assert len({id(result) for result in results}) == counts.n_encoded
    assert counts.kept_bytes == 0


def test_a_hundred_pictures_in_one_call(causal: WorkerEncoder, seeing: SeeingModels) -> None:
    projector = seeing.projector("causal")
    names = [list(COLOURS)[number % 8] for number in range(100)]
    # Of a hundred different sizes, so that no two files are equal.
    wanted = [files.plain(8 + number, 8 + number, COLOURS[name]) for number, name in enumerate(names)]
    for picture, name in zip(causal.encode(wanted, Work()), names, strict=True):
        assert np.array_equal(media_of(picture)[0].rows[0], projector.words[name].embedding)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty; allowed are PNG, JPEG, WebP, GIF and BMP"),
        (b"no picture", "is no picture of a known format; allowed are"),
        (files.encoded(files.noise(64, 64))[:5000], "is damaged: "),
        (files.encoded(files.noise(64, 64), "JPEG")[:2000], "is damaged: "),
        (files.png_of(12_000, 12_000), "has 12000 x 12000 pixels, 144000000 together; allowed are at most 40000000"),
        (files.png_of(2**31 - 1, 2**31 - 1, rows=False), "has 2147483647 x 2147483647 pixels"),
    ],
    ids=["empty", "text", "cut PNG", "cut JPEG", "bomb", "header"],
)
def test_a_bad_picture_is_named_and_harms_nobody(causal: WorkerEncoder, data: bytes, problem: str) -> None:
    pid = causal.pid
    red = files.plain(32, 32)
    with pytest.raises(UnusablePicture) as caught:
        causal.encode([red, data, red], Work())
    assert caught.value.index == 1
    assert caught.value.problem.startswith(problem)
    assert media_of(causal.encode([red], Work())[0])
    assert causal.pid == pid


@pytest.mark.parametrize(("width", "height"), [(1, 1), (10_000, 1), (1, 10_000), (6000, 6000), (1, 70_000)])
def test_extreme_sizes_are_encoded_or_refused_with_a_reason(encoder: WorkerEncoder, width: int, height: int) -> None:
    pid = encoder.pid
    try:
        (picture,) = encoder.encode([files.png_of(width, height)], Work())
    except UnusablePicture as error:
        assert max(width, height) > 65_536
        assert "cannot be prepared for the projector" in error.problem
    else:
        assert all(np.isfinite(chunk.rows).all() for chunk in media_of(picture))
    assert encoder.pid == pid


def test_limits_on_tokens_are_kept(encoders: Encoders, seeing: SeeingModels) -> None:
    projector = seeing.projector("grid")
    encoder = encoders.start(projector.path, image_min_tokens=16, image_max_tokens=64)
    small, large = encoder.encode([files.plain(32, 32), files.plain(2000, 2000)], Work())
    assert (len(media_of(small)[0].rows), len(media_of(large)[0].rows)) == (16, 64)


@pytest.mark.parametrize(("field", "limit"), [("image_min_tokens", 100), ("image_max_tokens", 2)])
@pytest.mark.parametrize("kind", ["causal", "tiled"])
def test_limits_that_a_projector_does_not_keep_are_refused(
    encoders: Encoders, seeing: SeeingModels, kind: Kind, field: str, limit: int
) -> None:
    with pytest.raises(ProjectorFailed, match=rf"\(mlp\) does not keep `{field}` {limit}: it makes .* tokens"):
        encoders.start(seeing.projector(kind).path, **{field: limit})


def test_limits_on_tokens_that_contradict_each_other_are_refused(encoders: Encoders, seeing: SeeingModels) -> None:
    with pytest.raises(InvalidArgument, match="image_min_tokens: 65 is above `image_max_tokens` 64"):
        encoders.make(seeing.projector("grid").path, image_min_tokens=65, image_max_tokens=64)


def test_a_chunk_that_cannot_be_evaluated_at_once_is_refused_at_start(encoders: Encoders, seeing: SeeingModels) -> None:
    path = seeing.projector("bidirectional", patches=4).path
    with pytest.raises(ProjectorFailed, match=r"makes up to 16 rows .* that takes 15; set `n_batch` to 16 at least"):
        encoders.start(path, n_whole=15)
    assert encoders.start(path, n_whole=16).facts.max_whole == 16


def test_the_process_is_modest(encoders: Encoders, seeing: SeeingModels) -> None:
    encoder = encoders.start(seeing.projector("causal").path, media_nice=7)
    pid = pid_of(encoder)
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 7)
    assert os.getsid(pid) == pid
    assert os.sched_getaffinity(pid) == os.sched_getaffinity(0)


def test_the_weights_of_the_text_model_are_mapped_and_not_copied(encoders: Encoders, seeing: SeeingModels) -> None:
    encoder = encoders.start(seeing.projector("causal").path)
    figures = Path(f"/proc/{encoder.pid}/smaps_rollup").read_text().split()
    own_kib = int(figures[figures.index("Private_Dirty:") + 1])
    assert own_kib << 10 < seeing.default.stat().st_size


_CORE = """
import sys, time
from pathlib import Path
from tests.support.image_encoders import Encoders
print(Encoders(Path(sys.argv[1])).start(Path(sys.argv[2])).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("is_stopped", [False, True])
def test_it_ends_with_the_core(seeing: SeeingModels, is_stopped: bool) -> None:
    """Even if both are killed or stopped, so that neither can do anything about it."""
    command = [sys.executable, "-c", _CORE, str(seeing.default), str(seeing.projector("causal").path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as core:
        assert core.stdout is not None
        pid = int(core.stdout.readline())
        worker = os.pidfd_open(pid)
        if is_stopped:
            os.kill(pid, signal.SIGSTOP)
        core.kill()
    try:
        # Readable once it has ended.
        wait_until("the end of the process", lambda: bool(select.select([worker], [], [], 0)[0]))
    finally:
        os.close(worker)
