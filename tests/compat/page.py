"""Writes ``docs/compat.md``: what became of every test, with Slotline and with llama-server."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.compat.record import OURS, THEIRS
from tests.compat.upstream import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.compat.record import Record
    from tests.compat.remarks import Remarks
    from tests.compat.run import Outcome

PAGE = ROOT / "docs/compat.md"

_HEAD = """# llama.cpp's own tests

<!-- Written by `make compat ARGS=--rewrite`; edit tests/compat instead. -->

llama.cpp's server has tests of its own, which start a server and talk to it. They come with the source package of
llama-cpp-python, so they are those of the version of llama.cpp that Slotline runs. `make compat` runs them against
`slotline serve --api-shape now` and fails if what is written here is not true. The same tests were run against
llama-server of about the same age, with the same models.

    make compat                                            # everything, {n_tests} tests
    make compat ARGS="test_basic.py test_tokenize.py"      # some files
    make compat ARGS=--rewrite                             # write this page anew
    make compat ARGS="--server llama-server --rewrite"     # the other column; `make bench` builds llama-server first

What the tests would download is replaced by small models that `tests/compat/models.py` writes: a storyteller of
random weights whose vocabulary makes as many tokens of the tests' prompts as theirs, an encoder, a reranker, Gemma 3
with a projector for pictures. So the texts that their models say are not compared, all else is. Tests that download
models of gigabytes (marked as slow) are left out.

| | tests |
|---|---|
{totals}

*Not ours* are tests of what Slotline does not have. A line is the one in the test's file at which it fails.

"""


def page(record: Record, remarks: Remarks) -> str:
    """The whole page."""
    ours, theirs = record[OURS], record[THEIRS]
    tests = sorted(ours.keys() | theirs.keys())
    head = _HEAD.format(n_tests=len(tests), totals="\n".join(_totals(tests, record, remarks)))
    return head + "\n".join(_files(tests, record, remarks))


def passes_only_theirs(record: Record, remarks: Remarks) -> list[str]:
    """The tests that llama-server passes and Slotline, to which they apply, does not."""
    return [
        test
        for test, outcome in record[OURS].items()
        if not _passed(outcome) and _passed(record[THEIRS].get(test)) and remarks.why_not_ours(test) is None
    ]


def _totals(tests: Sequence[str], record: Record, remarks: Remarks) -> Iterator[str]:
    applicable = [test for test in tests if remarks.why_not_ours(test) is None]
    both = [test for test in applicable if _passed(record[OURS].get(test)) and _passed(record[THEIRS].get(test))]
    only_ours = [test for test in applicable if _passed(record[OURS].get(test)) and test not in both]
    only_theirs = passes_only_theirs(record, remarks)
    skipped = [test for test in applicable if _is_skipped(record[OURS].get(test))]
    not_run = [test for test in applicable if test not in record[OURS]]
    neither = len(applicable) - len(both) - len(only_ours) - len(only_theirs) - len(skipped) - len(not_run)
    yield f"| both pass | {len(both)} |"
    yield f"| only Slotline passes | {len(only_ours)} |"
    yield f"| only llama-server passes | {len(only_theirs)} |"
    yield f"| neither passes, with these models and without a network | {neither} |"
    if not_run:
        yield f"| not run yet with Slotline | {len(not_run)} |"
    yield f"| the tests skip them | {len(skipped)} |"
    yield f"| not ours | {len(tests) - len(applicable)} |"


def _files(tests: Sequence[str], record: Record, remarks: Remarks) -> Iterator[str]:
    """A table for each file."""
    by_file: dict[str, list[str]] = defaultdict(list)
    for test in tests:
        by_file[test.split("::")[0]].append(test)
    for file, members in by_file.items():
        yield f"## {file}\n"
        yield "| test | Slotline | llama-server |"
        yield "|---|---|---|"
        yield from _rows(members, record, remarks)
        yield ""


def _rows(tests: Sequence[str], record: Record, remarks: Remarks) -> Iterator[str]:
    """A row for each test whose cases all end alike, or a row for each of its cases."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for test in tests:
        by_name[test.split("::")[1].partition("[")[0]].append(test)
    for name, cases in by_name.items():
        cells = [(_ours(case, record[OURS], remarks), _word(record[THEIRS].get(case))) for case in cases]
        if len(set(cells)) == 1:
            times = f", {len(cases)} cases" if len(cases) > 1 else ""
            yield _row(f"`{name}`{times}", cells[0])
        else:
            for case, pair in zip(cases, cells, strict=True):
                yield _row(_code(case.split("::")[1]), pair)


def _row(name: str, cells: tuple[str, str]) -> str:
    return f"| {name} | {cells[0]} | {cells[1]} |"


def _ours(test: str, outcomes: Mapping[str, Outcome], remarks: Remarks) -> str:
    not_ours, why = remarks.why_not_ours(test), remarks.why_different(test)
    if not_ours is not None:
        return f"not ours: {not_ours}"
    word = _word(outcomes.get(test))
    return word if why is None or _passed(outcomes.get(test)) else f"{word}: {why}"


def _word(outcome: Outcome | None) -> str:
    if outcome is None:
        return "not run"
    if outcome.outcome != "failed":
        return outcome.outcome
    return "fails" if outcome.line is None else f"fails at line {outcome.line}"


def _passed(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.outcome == "passed"


def _is_skipped(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.outcome == "skipped"


def _code(text: str) -> str:
    """A text in a cell of a table, as code."""
    return "`" + text.replace("|", "\\|").replace("`", "'") + "`"
