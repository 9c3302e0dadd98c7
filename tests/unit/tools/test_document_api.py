"""docs/api against the protos."""

from __future__ import annotations

import re

import pytest

from slotline.v1 import inference_service_pb2, model_service_pb2
from tools.document_api import FOLDER, pages


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """All pages as they ought to be."""
    return pages()


def test_the_pages_are_what_the_protos_say(made: dict[str, str]) -> None:
    assert {path.name: path.read_text() for path in FOLDER.glob("*.md")} == made, "run `make docs`"


def test_every_method_has_a_row_that_leads_to_it(made: dict[str, str]) -> None:
    for module in (inference_service_pb2, model_service_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                (link,) = re.findall(rf"\[{service.name}\.{method.name}\]\(([^)]+)\)", made["README.md"])
                page, _, anchor = link.partition("#")
                assert f"\n### {method.name}\n" in made[page]
                assert anchor == method.name.lower()


def test_links_lead_to_headings(made: dict[str, str]) -> None:
    headings = {
        (name, heading.lower()) for name, text in made.items() for heading in re.findall(r"^##+ (.+)$", text, re.M)
    }
    for name, text in made.items():
        for page, anchor in re.findall(r"\]\(([\w.]*)#(\w+)\)", text):
            assert (page or name, anchor) in headings


def test_a_row_says_type_meaning_default_and_range(made: dict[str, str]) -> None:
    (row,) = [line for line in made["sampling.md"].splitlines() if line.startswith("| `repeat_penalty` |")]
    assert row.startswith("| `repeat_penalty` | optional float | Divides positive and multiplies negative logits")
    assert row.endswith("Default 1.1, allowed above 0. |")


def test_a_field_of_a_choice_says_so(made: dict[str, str]) -> None:
    (row,) = [line for line in made["prompt.md"].splitlines() if line.startswith("| `image` |")]
    assert "[Image](#image) | (one of `part`) " in row
