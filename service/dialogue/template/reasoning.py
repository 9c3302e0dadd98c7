"""How a template writes reasoning, and which of its variables turn it on and off."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from service.dialogue.chat_format import ReasoningMarkers, ReasoningSwitches
from service.dialogue.template.probes import FIRST, LEFT, TEXT, THOUGHT, TOOLS, USER, VALUE, Probe
from service.dialogue.template.tags import common_beginning
from slotline.protocol.thinking import EFFORTS, NO_EFFORTS, SWITCHES, SWITCHES_OF_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.dialogue.template.probes import Prober, Render

#: Markers that are known, in the order in which they are looked for.
KNOWN_MARKERS = tuple(
    ReasoningMarkers(*pair)
    for pair in (
        ("<think>", "</think>"),
        ("[THINK]", "[/THINK]"),
        ("<seed:think>", "</seed:think>"),
        ("<mm:think>", "</mm:think>"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("<|channel>thought", "<channel|>"),
        ("<|inner_prefix|>", "<|inner_suffix|>"),
        ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
        ("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
    )
)
_KEYS = ("reasoning_content", "reasoning", "thinking")
_TAG = r"(?:<[^<>\s]+>|\[[^\[\]\s]+\])"
_EFFORT_WORDS = ("low", "medium", "high", "minimal", "max", "none", "no_think")


def reasoning_markers(prober: Prober, source: str) -> ReasoningMarkers | None:
    """What stands around reasoning: as the template writes it, else markers that its source names.

    Args:
        prober: renders as the template wants calls.
        source: the template.
    """
    plain = prober.text() or ""
    split = [text.rpartition(USER)[2].partition(THOUGHT) for _, text in _thoughts(prober)]
    # What follows reasoning in front of a text and in front of a call.
    in_any_case = common_beginning(*(behind for _, _, behind in split)).strip() if len(split) > 1 else ""
    for before, _, behind in split:
        before, behind = before.rstrip(), behind.lstrip()
        for known in KNOWN_MARKERS:
            if before.endswith(known.open) and behind.startswith(known.close):
                return known
        opening, closing = re.search(f"{_TAG}$", before), re.match(_TAG, behind)
        if opening and closing:
            # A template may write an empty block where there is no reasoning.
            without_block = re.sub(rf"{re.escape(opening[0])}\s*{re.escape(closing[0])}", "", plain)
            if opening[0] not in without_block:
                close = closing[0] if closing[0] not in without_block else in_any_case
                if close and close not in without_block.rpartition(TEXT)[2]:
                    return ReasoningMarkers(opening[0], close)
    return next((known for known in KNOWN_MARKERS if known.open in source and known.close in source), None)


def reasoning_key(prober: Prober) -> str:
    """The key under which a template looks for the reasoning of a turn."""
    return next((key for key, _ in _thoughts(prober)), _KEYS[0])


def _thoughts(prober: Prober) -> Iterator[tuple[str, str]]:
    """Renderings of turns with reasoning, with the key and the variables that templates want for that."""
    calls = ((FIRST, {LEFT: VALUE}),)
    for key in _KEYS:
        thought: dict[str, Any] = {key: THOUGHT}
        for variables in ({}, {"enable_thinking": True}, {"thinking": True}):
            thinking = prober.with_variables(variables)
            for text in (thinking.text(**thought), thinking.calls(*calls, **thought)):
                if text is not None and THOUGHT in text:
                    yield key, text


def reasoning_switches(render: Render, source: str) -> ReasoningSwitches:
    """The variables that change whether or how hard the model thinks.

    Args:
        render: renders a probe.
        source: the template; only variables that it names are tried.
    """
    named = [name for name in (*SWITCHES, *SWITCHES_OF_WORDS, *EFFORTS) if re.search(rf"\b{name}\b", source)]

    def prompts(**variables: Any) -> tuple[str | None, ...]:
        messages = [{"role": "user", "content": USER}]
        turns = [*messages, {"role": "assistant", "content": TEXT}, *messages]
        return (
            render(Probe(messages, None, True, variables)),
            render(Probe(turns, TOOLS, True, variables)),
        )

    found: dict[str, Any] = {}
    for name in named:
        if name in EFFORTS:
            continue
        on, off = SWITCHES_OF_WORDS.get(name, (True, False))
        if prompts(**{name: on}) != prompts(**{name: off}):
            found = {"on_off": name, "on": on, "off": off}
            break
    for name in named:
        if name not in EFFORTS:
            continue
        seen = {word: prompts(**{name: word}) for word in _EFFORT_WORDS}
        if len(set(seen.values())) > 1:
            quoted = [word for word in NO_EFFORTS if re.search(rf"""["']{word}["']""", source)]
            off_words = [word for word in quoted if seen[word] not in ((None, None), seen["high"])]
            found |= {"effort": name, "no_effort": off_words[0] if off_words else ""}
            break
    return ReasoningSwitches(**found)
