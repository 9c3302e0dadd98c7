"""Marks of calls and of their section, told apart by what stands before, between and behind two calls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from service.dialogue.template.tags import common_beginning, common_end

if TYPE_CHECKING:
    from service.dialogue.chat_format import CallFormat


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around calls: before the first one, between two (None if there are never two), behind the last."""

    before: str
    between: str | None
    behind: str

    def apply(self, form: CallFormat) -> CallFormat:
        """The format with these texts as marks of calls and of their section."""
        call_open, call_close, separator = self.before, self.behind, ""
        if self.between is not None:
            call_open = _unless_blank(common_end(self.before, self.between))
            rest = self.between[: len(self.between) - len(call_open)]
            call_close = _unless_blank(common_beginning(self.behind, rest))
            separator = rest[len(call_close) :]
        section_open = self.before[: len(self.before) - len(call_open)].lstrip()
        section_close = self.behind[len(call_close) :].rstrip()
        # Blanks at the edges of an answer are no part of its marks: models leave them out.
        blanks, call_open = _split_blanks(call_open)
        separator += blanks
        if section_open:
            section_open += blanks
        if not section_close:
            stripped = call_close.rstrip()
            separator, call_close = call_close[len(stripped) :] + separator, stripped
        return replace(
            form,
            section_open=section_open,
            section_close=section_close,
            call_open=call_open,
            call_close=call_close,
            call_separator=separator,
        )


def _unless_blank(text: str) -> str:
    return text if text.strip() else ""


def _split_blanks(text: str) -> tuple[str, str]:
    """The blanks at the beginning of a text, and the remainder."""
    stripped = text.lstrip()
    return text[: len(text) - len(stripped)], stripped
