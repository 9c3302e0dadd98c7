"""Whatever bytes are sent as a picture, the process that encodes goes on, and answers the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given

from service.media.encoder import UnusablePicture
from service.prompts.work import Work
from tests.support import image_files as files
from tests.support.image_encoders import Encoders, media_of
from tests.support.image_fuzz import changed_files
from tests.support.properties import fuzzed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.media.worker_encoder import WorkerEncoder
    from tests.support.seeing_model import SeeingModels


@pytest.fixture(scope="module")
def encoder(seeing: SeeingModels) -> Iterator[WorkerEncoder]:
    encoders = Encoders(seeing.default)
    yield encoders.start(seeing.projector("grid").path, media_cache_mib=0, max_image_pixels=1_000_000)
    encoders.close()


def test_no_bytes_end_the_process(encoder: WorkerEncoder) -> None:
    pid = encoder.pid

    @fuzzed
    @given(changed_files())
    def any_bytes(data: bytes) -> None:
        try:
            (picture,) = encoder.encode([data], Work())
        except UnusablePicture as error:
            assert error.problem.startswith(("is ", "has ", "of "))
        else:
            assert all(np.isfinite(chunk.rows).all() for chunk in media_of(picture))
        assert encoder.pid == pid

    any_bytes()
    assert encoder.counts().n_restarts == 0
    assert media_of(encoder.encode([files.plain(32, 32)], Work())[0])
