"""Formats that are known by name."""

from __future__ import annotations

import pytest

from service.dialogue.chat_format import CallStyle, ChatFormat
from service.dialogue.known_formats import KNOWN_FORMATS

WITH_MARKERS = {name: known for name, known in KNOWN_FORMATS.items() if name not in ("none", "llama3", "gpt-oss")}


@pytest.mark.parametrize("known", WITH_MARKERS.values(), ids=WITH_MARKERS)
def test_calls_begin_with_a_marker(known: ChatFormat) -> None:
    assert known.calls.section_open or known.calls.call_open


@pytest.mark.parametrize("style", CallStyle)
def test_every_style_has_a_name(style: CallStyle) -> None:
    assert any(known.calls.style is style for known in KNOWN_FORMATS.values())


@pytest.mark.parametrize("known", KNOWN_FORMATS.values(), ids=KNOWN_FORMATS)
def test_a_name_ends_somewhere(known: ChatFormat) -> None:
    calls = known.calls
    match calls.style:
        case CallStyle.NAME_JSON:
            assert calls.name_close
        case CallStyle.TAGGED:
            assert calls.name_close or (calls.argument_open and calls.call_close)
            assert calls.argument_name_close
            assert calls.argument_close or calls.string_close
