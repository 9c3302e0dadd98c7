"""Logits that are kept behind prompts."""

from __future__ import annotations

import numpy as np

from service.engine.cache.prompt_logits import PromptLogits


def _row(value: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.full(4, value, np.float32)


def test_a_prompt_is_found_again_by_salt_and_tokens() -> None:
    kept = PromptLogits(2)
    kept.keep("mine", [1, 2, 3], _row(1.5))

    found = kept.find("mine", (1, 2, 3))

    assert found is not None
    assert found.tolist() == [1.5] * 4
    assert kept.find("yours", [1, 2, 3]) is None
    assert kept.find("mine", [1, 2]) is None
    assert kept.find("mine", [1, 2, 3, 4]) is None


def test_what_is_kept_and_what_is_found_are_copies() -> None:
    kept, row = PromptLogits(2), _row(1.0)
    kept.keep("", [1], row)
    row[:] = 7.0
    found = kept.find("", [1])
    assert found is not None
    found[:] = 8.0

    again = kept.find("", [1])

    assert again is not None
    assert again.tolist() == [1.0] * 4


def test_the_least_recently_used_one_goes_first() -> None:
    kept = PromptLogits(2)
    kept.keep("", [1], _row(1.0))
    kept.keep("", [2], _row(2.0))
    kept.find("", [1])
    kept.keep("", [3], _row(3.0))

    assert kept.find("", [2]) is None
    first, third = kept.find("", [1]), kept.find("", [3])
    assert first is not None
    assert third is not None
    assert (first[0], third[0]) == (1.0, 3.0)
    assert len(kept) == 2


def test_a_prompt_that_is_kept_again_has_the_newest_logits() -> None:
    kept = PromptLogits(2)
    kept.keep("", [1], _row(1.0))
    kept.keep("", [1], _row(5.0))

    found = kept.find("", [1])

    assert found is not None
    assert found[0] == 5.0
    assert len(kept) == 1
