"""The language of transcripts itself: what it refuses, compares and rewrites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from service.testing.scripted_model import ScriptedCompute
from tests.engine.arguments import Arguments, CommandError
from tests.engine.observed_model import ObservedCompute
from tests.engine.play import difference, play
from tests.engine.player import Player
from tests.engine.transcript import Transcript, TranscriptError
from tests.engine.words import show

if TYPE_CHECKING:
    from pathlib import Path

    from service.engine.language_model import Logits

TEXT = """# A transcript.

== One
engine slots=1 ctx=64
submit a prompt="x" max_tokens=1
run
----
steps 1-1, wrong
and a line too many

slots
----

== Two
engine
slots
----
waiting: 0
slot 0: idle, never used
slot 1: idle, never used
"""


def write(tmp_path: Path, text: str) -> Path:
    """A transcript of that text."""
    path = tmp_path / "example.txt"
    path.write_text(text)
    return path


def test_what_is_printed_is_compared_whole(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT)
    scenarios = Transcript(path).scenarios
    told = difference(path, scenarios["One"], play(path, scenarios["One"])).splitlines()
    assert told[0] == f"{path}:6: run"
    assert {"-steps 1-1, wrong", "-and a line too many", "+waiting: 0"} <= set(told)
    assert difference(path, scenarios["Two"], play(path, scenarios["Two"])) == ""


def test_rewriting_changes_what_is_expected_of_one_scenario_and_nothing_else(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT)
    transcript = Transcript(path)
    scenario = transcript.scenarios["One"]
    outputs = play(path, scenario)
    transcript.rewrite(scenario, outputs)
    rewritten = Transcript(path)
    assert difference(path, rewritten.scenarios["One"], outputs) == ""
    printed = "\n".join(outputs[0])
    slots = "\n".join(outputs[1])
    assert path.read_text() == TEXT.replace("steps 1-1, wrong\nand a line too many", printed).replace(
        "slots\n----\n\n", f"slots\n----\n{slots}\n\n"
    )


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("sumbit a", "no command is called 'sumbit'"),
        ("submit a", "a request needs a prompt"),
        ('submit a prompt="x" max_token=3', "submit does not know 'max_token'"),
        ('submit a prompt="x" max_tokens=many', "'many' is no number"),
        ('submit a prompt="x" cache=maybe', "cache is 'maybe'; allowed are yes and no"),
        ("submit a prompt=x", "'x' is no text"),
        ('submit a prompt="x"y', "'y' behind a text"),
        ("submit a prompt=b.text", "no request is called 'b'"),
        ("cancel b", "no request is called 'b'"),
        ("cancel", "cancel needs another word"),
        ("step many", "'many' is no number"),
        ("fault everything", "no fault is called 'everything'"),
        ("run 1 2", "run does not know '2'"),
    ],
)
def test_a_wrong_command_fails_with_its_file_and_line(tmp_path: Path, command: str, problem: str) -> None:
    path = write(tmp_path, f"== Title\nengine\n# A comment.\n{command}\n----\n")
    with pytest.raises(TranscriptError) as failure:
        play(path, Transcript(path).scenarios["Title"])
    assert str(failure.value).startswith(f"{path}:4: {problem}")


def test_a_name_is_used_once(tmp_path: Path) -> None:
    path = write(tmp_path, '== Title\nengine\nsubmit a prompt="x"\nsubmit a prompt="x"\n----\n')
    with pytest.raises(TranscriptError, match=":4: there is a request 'a' already"):
        play(path, Transcript(path).scenarios["Title"])


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("engine\n----\n", 1, "a scenario begins with"),
        ("== Title\nengine\n", 2, "what the commands before this print is missing"),
        ("== Title\nengine\n== Other\nengine\n----\n", 2, "what the commands before this print is missing"),
        ("== Title\nengine\n----\n\n== Title\nengine\n----\n", 5, "there is another scenario"),
    ],
)
def test_a_file_that_is_no_transcript_is_refused(tmp_path: Path, text: str, line: int, problem: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(TranscriptError) as failure:
        Transcript(path)
    assert str(failure.value).startswith(f"{path}:{line}: {problem}")


def test_without_an_engine_there_is_nothing_to_ask() -> None:
    with pytest.raises(CommandError, match="there is no engine"):
        Player().play("step")


def test_a_disturbed_answer_fails_whatever_is_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, '== Title\nengine\nsubmit a prompt="x"\nrun\n----\n')

    def disturbed(compute: ObservedCompute, *place: int) -> Logits:
        return np.roll(ScriptedCompute.logits(compute, *place), 1)

    monkeypatch.setattr(ObservedCompute, "logits", disturbed)
    with pytest.raises(AssertionError) as failure:
        play(path, Transcript(path).scenarios["Title"])
    assert failure.value.__notes__ == [f"{path}:4: run"]


@pytest.mark.parametrize("text", ["", "plain", "x" * 6, "a" * 5, 'say "no"\n', "p" * 40 + "one", "naïve é€"])
def test_a_text_is_shown_as_commands_write_it(text: str) -> None:
    arguments = Arguments(f"submit a prompt={show(text)}", {})
    assert arguments.word() == "a"
    assert arguments.text("prompt") == text
    arguments.finish()


def test_texts_are_joined_from_literals_repetitions_and_answers() -> None:
    arguments = Arguments('submit prompt="one"+"x"*3+a.text+b.1.text+" two"', {"a": "A", "b.1": "B"})
    assert arguments.text("prompt") == "onexxxAB two"


def test_long_runs_are_shown_as_repetitions() -> None:
    assert show("aaab" + "c" * 6 + "d") == '"aaab"+"c"*6+"d"'
