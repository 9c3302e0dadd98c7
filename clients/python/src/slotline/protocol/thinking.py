"""Names that chat templates give to their variables about thinking, in the order in which they are looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The usual name of the variable that turns thinking on or off.
ENABLE_THINKING = "enable_thinking"
#: All names of it.
SWITCHES = (ENABLE_THINKING, "thinking", "enable_reasoning", "reasoning")
#: Those that are words instead, for on and off.
SWITCHES_OF_WORDS: Mapping[str, tuple[str, str]] = {
    "thinking_mode": ("enabled", "disabled"),
    "thinking_option": ("on", "off"),
}
#: Names of the variable that says how hard to think.
EFFORTS = ("reasoning_effort", "thinking_effort", "reasoning_strength")
#: Its words for not at all.
NO_EFFORTS = ("none", "no_think")
