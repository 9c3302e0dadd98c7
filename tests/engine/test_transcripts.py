"""Plays every scenario of the transcripts and compares all that it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.play import difference, play
from tests.engine.transcript import Transcript

FOLDER = Path(__file__).parent / "transcripts"
SCENARIOS = [
    pytest.param(path, title, id=f"{path.stem}: {title}")
    for path in sorted(FOLDER.glob("*.txt"))
    for title in Transcript(path).scenarios
]


@pytest.mark.parametrize(("path", "title"), SCENARIOS)
def test_transcript(path: Path, title: str, is_rewriting: bool) -> None:
    transcript = Transcript(path)
    scenario = transcript.scenarios[title]
    outputs = play(path, scenario)
    if is_rewriting:
        transcript.rewrite(scenario, outputs)
    elif unexpected := difference(path, scenario, outputs):
        pytest.fail(f"{unexpected}\nIf that is right, write it down: pytest tests/engine --rewrite", pytrace=False)
