"""What people who start a core read: their own names for the fields of its configuration."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from service.api.rpc.rpc_errors import to_status
from service.bounds import bounds_of
from service.config import CoreConfig, MediaOptions, ModelConfig
from service.errors import InvalidArgument, NotSupported, ServiceError
from service.field_names import answered, described, with_names
from slotline.cli.commands import COMMANDS
from slotline.cli.options.core_options import FIELD_NAMES
from slotline.cli.serve.model_file import check_model
from slotline.cli.start_errors import StartError
from slotline.protocol.reasons import CONFIG_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = Path(__file__).resolve().parent.parent.parent / "service"
FIELDS = {field.name for kind in (ModelConfig, MediaOptions, CoreConfig) for field in dataclasses.fields(kind)}
NAMES = {"n_ctx": "--ctx-size", "n_parallel": "--parallel"}
OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")


def _strings(path: Path) -> Iterator[tuple[int, str]]:
    """The string constants of a module that are no docstrings, with their lines."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


STRINGS = [(f"{path}:{line}", text) for path in sorted(SERVICE.rglob("*.py")) for line, text in _strings(path)]
OPTIONS = {
    name
    for command in COMMANDS.values()
    for group in command.groups
    for option in group.options
    for name in option.names
}


def test_no_text_of_the_core_names_an_option_of_the_command_line() -> None:
    assert {"-c", "--ctx-size"} <= OPTIONS
    words = [(where, word) for where, text in STRINGS for word in OPTION.findall(text)]
    # How another Python is started.
    allowed = ("service/media/process.py", "-m")
    named = [(where, word) for where, word in words if word in OPTIONS or word.startswith("--")]
    assert [(where, word) for where, word in named if not (allowed[0] in where and word == allowed[1])] == []


def test_what_texts_of_the_core_write_in_backticks_is_a_field_that_the_command_line_can_set() -> None:
    named = {name for _, text in STRINGS for name in re.findall(r"`(\w+)`", text)}
    assert {"n_ctx", "n_parallel", "path", "embedding"} <= named
    assert named <= FIELDS & set(FIELD_NAMES)


def test_every_field_whose_bounds_the_core_checks_has_a_name_on_the_command_line() -> None:
    # What idle slots and idle steps may take is not for people to set.
    unnamed = {"idle_prefill_budget_ms", "alone_prefill_budget_ms", "idle_cells"}
    bounded = bounds_of(ModelConfig) | bounds_of(MediaOptions) | bounds_of(CoreConfig)
    assert bounded.keys() - unnamed <= FIELD_NAMES.keys()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("set `n_ctx`", "set --ctx-size"),
        ("`n_ctx` and `n_parallel`", "--ctx-size and --parallel"),
        ("n_ctx", "n_ctx"),
        ("`unknown`", "`unknown`"),
    ],
)
def test_fields_in_backticks_get_other_names(text: str, expected: str) -> None:
    assert with_names(text, NAMES) == expected


def test_a_refused_field_of_the_configuration_gets_its_other_name() -> None:
    error = InvalidArgument("n_ctx", "is 5; allowed: 16 or more with `n_parallel` 2")
    assert described(error, NAMES) == "--ctx-size: is 5; allowed: 16 or more with --parallel 2"
    assert described(error, {}) == error.message


def test_words_of_a_request_are_left_alone() -> None:
    error = InvalidArgument("stop[0]", "is `n_ctx`")
    assert answered(error, NAMES) == to_status(error, NAMES).message == "stop[0]: is `n_ctx`"
    ours = NotSupported("set `n_ctx`", metadata={CONFIG_FIELDS: "n_ctx"})
    assert answered(ours, NAMES) == to_status(ours, NAMES).message == "set --ctx-size"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "/nothing.gguf"}, "model file /nothing.gguf does not exist; check --model"),
        (
            {"cache_type_v": "q8_0", "flash_attention": False},
            "--cache-type-v: is 'q8_0'; allowed: f32 or f16 with --flash-attn off",
        ),
    ],
)
def test_people_who_start_a_core_by_command_line_read_of_options(changes: dict[str, object], message: str) -> None:
    model = dataclasses.replace(ModelConfig(path="model.gguf"), **changes)  # type: ignore[arg-type]
    with pytest.raises(StartError) as caught:
        check_model(CoreConfig(model=model, field_names=FIELD_NAMES))
    assert str(caught.value) == message
    with pytest.raises(StartError) as plain:
        check_model(CoreConfig(model=model))
    assert "--" not in str(plain.value)


def test_the_names_do_not_make_a_configuration_another_one() -> None:
    plain = CoreConfig(model=ModelConfig(path="m"))
    assert dataclasses.replace(plain, field_names=NAMES) == plain


def test_an_error_without_fields_is_told_as_it_is() -> None:
    assert described(ServiceError("broken"), NAMES) == "broken"
