"""What `make compat` does around the tests of llama.cpp's server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.launcher import command, with_local_model
from tests.compat.page import PAGE, page, passes_only_theirs
from tests.compat.record import OURS, THEIRS, Record, differences, read_record, updated, write_record
from tests.compat.remarks import Remarks, read_remarks
from tests.compat.run import Outcome
from tests.compat.upstream import LOCK, UpstreamError, locked_requirement

PASSED, FAILED = Outcome("passed"), Outcome("failed", 12, "AssertionError")
MODELS = Path("models")


def test_the_page_is_what_is_written_down() -> None:
    assert PAGE.read_text() == page(read_record(), read_remarks()), "run `make compat ARGS=--rewrite`"


def test_every_remark_is_about_a_test_and_every_failure_has_one() -> None:
    record, remarks = read_record(), read_remarks()
    tests = record[THEIRS].keys()
    for kind in (remarks.not_ours, remarks.differences):
        for pattern in kind:
            assert any(Remarks({pattern: "why"}, {}).why_not_ours(test) for test in tests), pattern
    assert [test for test in passes_only_theirs(record, remarks) if remarks.why_different(test) is None] == []


def test_every_test_that_applies_has_an_outcome_and_every_failure_a_reason() -> None:
    record, remarks = read_record(), read_remarks()
    applicable = [test for test in record[THEIRS] if remarks.why_not_ours(test) is None]
    assert [test for test in applicable if test not in record[OURS]] == []
    failed = [test for test, outcome in record[OURS].items() if outcome.outcome == "failed"]
    assert [test for test in failed if remarks.why_different(test) is None] == []


def test_the_source_package_is_the_one_of_the_lock_with_its_hash() -> None:
    requirement = locked_requirement(LOCK.read_text())
    assert requirement.startswith("llama-cpp-python==")
    assert requirement.count("--hash=sha256:") == 1


def test_a_lock_without_the_package_is_refused() -> None:
    with pytest.raises(UpstreamError, match="llama-cpp-python"):
        locked_requirement("flask==3.1.3 \\\n    --hash=sha256:00\n")


def test_a_model_of_a_repository_becomes_a_local_one() -> None:
    options = ["--port", "1", "--offline", "--hf-repo", "ggml-org/test-model-stories260K", "--jinja"]
    assert with_local_model(MODELS, options) == ["--model", "models/stories.gguf", "--port", "1", "--jinja"]


def test_a_model_that_sees_gets_its_projector_unless_it_is_unwanted() -> None:
    options = ["--hf-repo", "ggml-org/tinygemma3-GGUF:Q8_0"]
    assert with_local_model(MODELS, options)[2] == "--mmproj"
    assert "--mmproj" not in with_local_model(MODELS, [*options, "--no-mmproj"])


def test_each_server_is_started_by_its_own_command() -> None:
    assert command("slotline", MODELS, [])[3:6] == ["slotline.cli", "serve", "--api-shape"]
    assert command("/bin/llama-server", MODELS, ["--metrics"])[0] == "/bin/llama-server"


def test_a_pattern_may_have_brackets() -> None:
    remarks = Remarks({"a.py::test_b[1-*]": "no"}, {})
    assert remarks.why_not_ours("a.py::test_b[1-x|y]") == "no"
    assert remarks.why_not_ours("a.py::test_b[2-x|y]") is None


def test_a_run_of_some_files_leaves_the_others_as_they_were() -> None:
    known = {"a.py::test": PASSED, "b.py::test": PASSED, "b.py::gone": PASSED}
    assert updated(known, {"b.py::test": FAILED}, ["b.py"]) == {"a.py::test": PASSED, "b.py::test": FAILED}
    assert updated(known, {"b.py::test": FAILED}, []) == {"b.py::test": FAILED}


def test_differences_name_what_happened_and_what_was_expected() -> None:
    assert differences({"a": PASSED, "b": FAILED}, {"a": FAILED, "b": FAILED, "c": PASSED}) == [
        "a: failed at line 12, AssertionError, but written down as passed",
        "c: passed, but written down as not run",
    ]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    record: Record = {OURS: {"a": PASSED, "b": FAILED}, THEIRS: {"a": Outcome("skipped")}}
    write_record(record, tmp_path / "outcomes.json")
    assert read_record(tmp_path / "outcomes.json") == record


def test_a_test_that_only_llama_server_passes_is_told_and_one_that_is_not_ours_is_not() -> None:
    record: Record = {OURS: {"a": FAILED}, THEIRS: {"a": PASSED, "b": PASSED, "c": FAILED}}
    assert passes_only_theirs(record, Remarks({"b": "no such thing"}, {})) == ["a"]


def test_cases_that_end_alike_share_a_row_and_others_do_not() -> None:
    tests = {"f.py::t[1]": PASSED, "f.py::t[2]": PASSED, "f.py::u[a|b]": PASSED, "f.py::u[c]": FAILED}
    text = page({OURS: tests, THEIRS: tests}, Remarks({}, {"f.py::u*": "a reason"}))
    assert "| `t`, 2 cases | passed | passed |" in text
    assert "| `u[a\\|b]` | passed | passed |" in text
    assert "| `u[c]` | fails at line 12: a reason | fails at line 12 |" in text
