"""What a guide makes of texts, over the scripted model's vocabulary of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.testing.scripted_model import EOS

if TYPE_CHECKING:
    from service.constraints.grammar import LarkGuide


def follows(guide: LarkGuide, text: str) -> bool:
    """Whether a text is allowed byte by byte, and may end there."""
    grammar = guide.start()
    for byte in text.encode():
        if not grammar.allows(byte):
            return False
        grammar.accept(byte)
    return grammar.allows(EOS)
