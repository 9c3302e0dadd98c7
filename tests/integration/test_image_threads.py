"""How many threads encode a picture: as many as the model has, and one while that computes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.harness.random_projector import RandomProjector, write_random_projector
from service.llama.host.library import load_library
from service.llama.host.openmp import TeamSwitch
from service.prompts.work import Work
from tests.support import image_files as files
from tests.support.image_encoders import Encoders, media_of, pid_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.media.worker_encoder import WorkerEncoder
    from tests.support.seeing_model import SeeingModels

pytestmark = [
    pytest.mark.skipif(not TeamSwitch(load_library()).works, reason="llama.cpp is built without OpenMP here"),
    pytest.mark.skipif(len(os.sched_getaffinity(0)) == 1, reason="threads that wait for each other need two CPUs"),
]
#: An idle thread of OpenMP may still turn round for a moment before it sleeps.
IDLE_S = 0.02


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough to be helped with, of few steps: threads wait for each other long where others compute, too."""
    shape = RandomProjector(576, image_size=512, width=256, n_layers=6, n_heads=4, n_hidden=1024)
    return write_random_projector(tmp_path_factory.mktemp("projector") / "mmproj.gguf", shape)


@pytest.fixture
def encoders(seeing: SeeingModels) -> Iterator[Encoders]:
    made = Encoders(seeing.default)
    yield made
    made.close()


def helpers_s(encoder: WorkerEncoder) -> float:
    """Processor time that all threads but the first have taken, in seconds."""
    pid = pid_of(encoder)
    others = [path for path in Path(f"/proc/{pid}/task").iterdir() if path.name != str(pid)]
    return sum(int((path / "schedstat").read_text().split()[0]) for path in others) / 1e9


def picture(seed: int) -> bytes:
    return files.encoded(files.noise(64, 64, seed))


def encoded_s(encoder: WorkerEncoder, seed: int) -> float:
    """What threads beside the first take for a picture, in seconds."""
    before_s = helpers_s(encoder)
    encoder.encode([picture(seed)], Work())
    return helpers_s(encoder) - before_s


def test_all_compute_while_the_model_rests_and_one_while_it_computes(encoders: Encoders, path: Path) -> None:
    is_computing = False
    encoder = encoders.start(path, n_threads=2, is_computing=lambda: is_computing)
    together_s = encoded_s(encoder, 1)
    is_computing = True
    alone_s = encoded_s(encoder, 2)
    is_computing = False
    again_s = encoded_s(encoder, 3)
    assert alone_s < min(together_s, again_s) / 4


def test_an_encode_gets_help_in_the_middle(encoders: Encoders, path: Path) -> None:
    n_looks = 0

    def is_computing() -> bool:
        nonlocal n_looks
        n_looks += 1
        return n_looks < 3

    encoder = encoders.start(path, n_threads=2, is_computing=is_computing)
    assert encoded_s(encoder, 1) > IDLE_S


def test_so_many_as_are_asked_for_compute_in_any_case(encoders: Encoders, path: Path) -> None:
    encoder = encoders.start(path, media_threads=2, is_computing=lambda: True)
    assert encoded_s(encoder, 1) > IDLE_S


def test_rows_are_the_same_to_the_last_bit(encoders: Encoders, path: Path) -> None:
    is_computing = False
    encoder = encoders.start(path, n_threads=2, is_computing=lambda: is_computing)
    (chunk,) = media_of(encoder.encode([picture(1)], Work())[0])
    is_computing = True
    (other,) = media_of(encoder.encode([picture(1)], Work(), salt="another")[0])
    assert np.array_equal(chunk.rows, other.rows)
