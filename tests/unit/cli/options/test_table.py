from __future__ import annotations

import pytest

from slotline.cli.options.help import COLUMN, usage
from slotline.cli.options.table import Flag, Group, HelpRequested, Pair, UsageError, Value, parse
from slotline.cli.options.values import integer, text

NUMBER = Value(("-n", "--number"), "N", "number", integer(0), "a number")
WORD = Value(("--word",), "WORD", "words", text, "a word", repeat=True)
MODE = Value(("--mode",), "[MODE]", "mode", text, "a mode", bare="usual")
QUIET = Flag(("-q", "--quiet"), {"quiet": True, "volume": 0}, "say less")
OLD = Flag(("--old",), {}, "only accepted", warning="has no effect")
GONE = Value(("--gone",), "WORD", "", text, "only accepted", warning="has no effect either")
POINT = Pair(("--point",), "X Y", "point", lambda _, x, y: (x, y), "a point")
SPAN = Pair(
    ("--span",),
    "FROM TO",
    "spans",
    lambda name, x, y: (integer(0)(name, x), integer(0)(name, y)),
    "a span",
    repeat=True,
)
FIRST = Group("first", (NUMBER, QUIET, OLD, GONE))
SECOND = Group("second", (WORD, MODE, POINT, SPAN))
GROUPS = (FIRST, SECOND)


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ([], {}),
        (["-n", "3"], {"number": 3}),
        (["--number", "3"], {"number": 3}),
        (["-n", "3", "--number", "4"], {"number": 4}),
        (["-q"], {"quiet": True, "volume": 0}),
        (["--word", "a", "-q", "--word", "b"], {"words": ("a", "b"), "quiet": True, "volume": 0}),
        (["--word", "-q"], {"words": ("-q",)}),
        (["--word", "--help"], {"words": ("--help",)}),
        (["--mode"], {"mode": "usual"}),
        (["--mode", "-q"], {"mode": "usual", "quiet": True, "volume": 0}),
        (["--mode", "rare"], {"mode": "rare"}),
        (["--old"], {}),
        (["--gone", "x"], {}),
        (["--point", "1", "-q", "--point", "2", "3"], {"point": ("2", "3")}),
        (["--point", "--help", "-n"], {"point": ("--help", "-n")}),
        (["--span", "1", "2", "-n", "3", "--span", "4", "5"], {"spans": ((1, 2), (4, 5)), "number": 3}),
    ],
)
def test_arguments_are_taken_from_left_to_right(arguments: list[str], settings: dict[str, object]) -> None:
    assert parse(GROUPS, arguments).settings == settings


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["--nope"], ["error: unknown argument: --nope"]),
        (["--numbr", "1"], ["error: unknown argument: --numbr", "note: did you mean --number?"]),
        (["-number", "1"], ["error: unknown argument: -number", "note: did you mean --number?"]),
        (["--numbr=1"], ["error: unknown argument: --numbr=1", "note: did you mean --number?"]),
        (
            ["--number=1"],
            ["error: unknown argument: --number=1", "note: a value is an argument of its own: --number 1"],
        ),
        (["-n=1"], ["error: unknown argument: -n=1", "note: a value is an argument of its own: -n 1"]),
        (["-q=1"], ["error: unknown argument: -q=1", "note: -q takes no value"]),
        (["-n3"], ["error: unknown argument: -n3"]),
        (["a b.gguf"], ["error: unknown argument: a b.gguf", "note: a model is given with -m: -m a b.gguf"]),
        (["word"], ["error: unknown argument: word"]),
        ([""], ["error: unknown argument: "]),
        (["--"], ["error: unknown argument: --"]),
        # Names are not abbreviated.
        (["--numb", "3"], ["error: unknown argument: --numb", "note: did you mean --number?"]),
        (["-n", "3", "4"], ["error: unknown argument: 4"]),
        (["-n"], ["error: -n needs a value: -n N", "error: invalid parameter for argument: -n"]),
        (
            ["--number", "many"],
            [
                "error: --number 'many' is not a whole number; allowed is a whole number, at least 0",
                "error: invalid parameter for argument: --number",
            ],
        ),
        (
            ["--point"],
            ["error: --point needs two values: --point X Y", "error: invalid parameter for argument: --point"],
        ),
        (
            ["-q", "--point", "1"],
            ["error: --point needs two values: --point X Y", "error: invalid parameter for argument: --point"],
        ),
        (
            ["--span", "1", "-q"],
            [
                "error: --span '-q' is not a whole number; allowed is a whole number, at least 0",
                "error: invalid parameter for argument: --span",
            ],
        ),
        # The first mistake is the one that is told.
        (["--nope", "-n"], ["error: unknown argument: --nope"]),
        (["--nope", "-h"], ["error: unknown argument: --nope"]),
    ],
)
def test_mistakes_are_named(arguments: list[str], lines: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(GROUPS, arguments)
    assert list(caught.value.lines) == lines


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["-n", "3", "-h"], ["-h", "--nope"]])
def test_help_acts_as_soon_as_it_is_met(arguments: list[str]) -> None:
    with pytest.raises(HelpRequested):
        parse(GROUPS, arguments)


def test_an_option_without_effect_says_so() -> None:
    assert parse(GROUPS, ["--old", "-q"]).warnings == ["--old has no effect"]
    assert parse(GROUPS, ["--gone", "-q"]).warnings == ["--gone has no effect either"]


def test_the_help_shows_what_the_values_are_called() -> None:
    shown = usage("x", GROUPS, about="A test.")
    for names, described in (
        ("--point X Y", "a point"),
        ("-n, --number N", "a number"),
        ("--mode [MODE]", "a mode"),
        ("-q, --quiet", "say less"),
    ):
        assert f"\n{f'  {names}'.ljust(COLUMN)}{described}\n" in shown


def test_arguments_of_some_groups_can_be_passed_on_as_they_were_given() -> None:
    parsed = parse(
        GROUPS, ["--word", "a b", "-n", " 3", "--mode", "-q", "--span", "1", " 2", "--word", "c", "--number", "4"]
    )
    assert parsed.arguments_of((FIRST,)) == ["-n", " 3", "-q", "--number", "4"]
    assert parsed.arguments_of((SECOND,)) == ["--word", "a b", "--mode", "--span", "1", " 2", "--word", "c"]
    assert parse(GROUPS, parsed.arguments_of(GROUPS)).settings == parsed.settings
