"""What the documents say about the code: links lead somewhere, modules are where they are said to be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.engine.request import state

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("clients/*/README.md")])
#: Where modules are looked for that documents about the inside name.
BASES = ("", "service", "service/engine", "rest_adapter", "rest_adapter/apis", "clients/python/src", "tests/support")
#: Names that each API has a file of.
OF_EACH_API = {"request.py", "reply.py", "schema.py", "route.py", "reply_2024.py", "reply_now.py"}


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=_id)
def test_links_between_files_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("document", sorted(ROOT.glob("docs/inside/*.md")), ids=_id)
def test_modules_are_where_the_documents_say(document: Path) -> None:
    named = set(re.findall(r"`([\w/]+(?:\.py|\.proto|/\w+))`", document.read_text())) - OF_EACH_API
    assert [name for name in sorted(named) if not any((ROOT / base / name).exists() for base in BASES)] == []


def test_the_life_of_a_sequence_is_drawn_as_it_is() -> None:
    drawing = (state.__doc__ or "").split("    submitted", 1)[1].split("    All five", 1)[0].rstrip()
    assert len(drawing.splitlines()) > 10
    assert drawing in (ROOT / "docs/inside/life-of-a-request.md").read_text()
