"""What the server says of conversations, where they say nothing else themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slotline.protocol.thinking import EFFORTS, ENABLE_THINKING, NO_EFFORTS, SWITCHES, SWITCHES_OF_WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_adapter.config import RestConfig
    from slotline.v1.prompt_pb2 import ReasoningOptions

#: An effort that turns thinking off; all others are for the chat template.
NO_EFFORT = "none"
_SWITCHES = frozenset({*SWITCHES, *SWITCHES_OF_WORDS})


@dataclass(frozen=True, slots=True)
class ChatDefaults:
    """What conversations get that say nothing else.

    Attributes:
        thinks: whether the model thinks, if its template has a switch for that; None for what the template does.
        variables: for the chat template.
    """

    thinks: bool | None = None
    variables: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, config: RestConfig) -> ChatDefaults:
        """Those of a server. ``reasoning`` and ``reasoning_effort`` go before its variables."""
        variables, thinks, effort = dict(config.template_variables or {}), config.reasoning, config.reasoning_effort
        if effort == NO_EFFORT and thinks is None:
            thinks = False
        if effort is not None:
            # A template knows one of these names, and does not look at the others.
            variables |= dict.fromkeys(EFFORTS, effort)
        if thinks is not None:
            return cls(thinks, {name: value for name, value in variables.items() if name not in _SWITCHES})
        given = variables.get(ENABLE_THINKING)
        return cls(given if isinstance(given, bool) else None, variables)

    def variables_with(self, reasoning: ReasoningOptions) -> dict[str, object]:
        """The variables without those that contradict what is asked for otherwise, which would be refused.

        Args:
            reasoning: what a request asks for, or the server by ``thinks``.
        """
        left_out: set[str] = set()
        if reasoning.HasField("effort"):
            left_out |= {*_SWITCHES, *EFFORTS}
        if reasoning.HasField("enabled"):
            left_out |= _SWITCHES
            if self.variables.get(ENABLE_THINKING) is reasoning.enabled:
                # The core sees to the template's own name for it, if it finds that.
                left_out.remove(ENABLE_THINKING)
            left_out |= {name for name in EFFORTS if not reasoning.enabled or self.variables.get(name) in NO_EFFORTS}
        return {name: value for name, value in self.variables.items() if name not in left_out}


#: Of a server that says nothing.
NO_DEFAULTS = ChatDefaults()
