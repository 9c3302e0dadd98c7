"""What is copied to measure tokens that are tried ahead."""

from __future__ import annotations

import pytest

from bench.copying import copied_share
from bench.lookup import DOCUMENTS


@pytest.mark.parametrize("what", DOCUMENTS)
def test_most_of_a_copy_is_in_its_prompt(what: str) -> None:
    prompt, answer = DOCUMENTS[what](1)
    assert 0.3 < copied_share(answer, prompt) <= 1
    assert (answer in prompt) == (what == "text")
    assert answer.isascii()
    assert len(answer) > 600
