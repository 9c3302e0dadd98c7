"""docs/options.md against the tables of options."""

from __future__ import annotations

from slotline.cli.commands import COMMANDS
from tools.document_options import PAGE, page


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"


def test_every_option_of_every_command_is_on_the_page() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    groups = {id(group): group for command in COMMANDS.values() for group in command.groups}
    options = [option for group in groups.values() for option in group.options]
    assert len(rows) == len(options)
    for option in options:
        assert any(row.startswith("| " + ", ".join(f"`{name}`" for name in option.names) + " |") for row in rows)


def test_a_row_says_names_value_default_variable_and_meaning() -> None:
    (row,) = [line for line in page().splitlines() if "--parallel`" in line]
    value = "`N`: a whole number from 1 to 222"
    assert row.startswith(
        f"| `-np`, `--parallel` | {value} | 1 | `SLOTLINE_PARALLEL` | slots: requests that are served "
    )


def test_bars_in_help_do_not_end_a_cell() -> None:
    (row,) = [line for line in page().splitlines() if "--literal-messages" in line]
    assert "&lt;\\|im_end\\|>" in row
