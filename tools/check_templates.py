"""Tries chat templates of published models, and writes what came of it to ``docs/chat-templates.md``.

    python -m tools.check_templates /path/to/llama.cpp/models/templates

The templates are those of a checkout of llama.cpp; none of them is a part of this project. Each is rendered in the
process that the server uses, looked into, and tried with tools, calls and reasoning, there and back.
"""

from __future__ import annotations

import argparse
import re
import sys
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.constraints.compiler import ConstraintCompiler
from service.constraints.spec import ConstraintKind, ConstraintSpec
from service.dialogue.chat_format import CallIds
from service.errors import InvalidArgument
from service.prompts.formats import chat_format
from service.prompts.renderer import TemplateRenderer
from service.prompts.template_process import TemplateFailure
from service.prompts.templates import Conversation
from service.prompts.tolerant import TolerantTemplate
from tools.round_trip import ANSWERS, HARMONY_TOKENS, NOT_ALLOWED, failures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.dialogue.chat_format import ChatFormat
    from service.dialogue.history import Turn

PAGE = Path(__file__).resolve().parent.parent / "docs/chat-templates.md"
_EOS = "<eos>"
#: Names of tokens at which the models of these templates end their answers.
END_NAMES = (
    _EOS,
    *("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|call|>", "<|calls|>", "<|return|>", "<|end|>", "<|eot|>", "<|eom|>"),
    *("<turn|>", "<|tool_response>", "<end_of_turn>", "<end_of_sentence>", "<|end_of_text|>", "<SPECIAL_12>"),
    *("<|END_OF_TURN_TOKEN|>", "<|role_end|>", "[e~[", "<seed:eos>", "<sep>", "</assistant>", "<|end_of_msg|>"),
    "<|message_sep|>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
    "<\uff5chy_eos:opensource\uff5c>",
)
_HEAD = """\
# Chat templates

<!-- Written by `python -m tools.check_templates` from the templates of a checkout of llama.cpp; do not edit. -->

What the server finds out about chat templates of published models, and whether answers come through it as they are.
Each template writes turns with texts, reasoning and calls (no arguments, special characters, values of all types, two
calls), and the parser reads them letter by letter; then a prompt with calls and results is looked at. Nothing but the
templates is needed for that: which of their marks are control tokens, a model's vocabulary says.

*calls* is how they are written, with the way in which that was found; *fallback* means that the server describes tools
and writes calls in a form of its own, because the template does not show any. *history* is what the template wants of
earlier calls: arguments as *text*, *null* for missing content, *one* call a turn, ids of *nine* letters or *numbered*;
*results as user* where it has no turns of tools. *grammar* names what the grammar of answers does not let a model write
as the template does: then the calls of an answer and those of the next prompt differ in some tokens.

| template | calls | shows tools | reasoning | switches | history | there and back | grammar |
|---|---|---|---|---|---|---|---|
"""


class Bytes:
    """A vocabulary of bytes, for grammars, with the control tokens of channels."""

    n_vocab = 257 + len(HARMONY_TOKENS)
    eog_tokens = frozenset({256})
    _NAMES = {256: "<eos>"} | {token: name for name, token in HARMONY_TOKENS.items()}

    def token_bytes(self, token: int, special: bool = False) -> bytes:
        """The byte, or the name."""
        if token < 256:
            return bytes([token])
        return self._NAMES[token].encode() if special else b""

    def tokens_of(self, text: str, *, has_channels: bool) -> list[int]:
        """Bytes, and control tokens if channels are told by them."""
        parts = re.split("(" + "|".join(map(re.escape, HARMONY_TOKENS)) + ")", text) if has_channels else [text]
        return [
            token for part in parts for token in ([HARMONY_TOKENS[part]] if part in HARMONY_TOKENS else part.encode())
        ]


class EndTokens:
    """As much of a vocabulary as is needed: the names at which answers end."""

    eog_tokens = frozenset(range(len(END_NAMES)))

    def split_control(self, text: str) -> list[int | str]:
        """The text: which names are control tokens is not known here."""
        return [text]

    def token_bytes(self, token: int, special: bool = False) -> bytes:
        """The name of an end."""
        return END_NAMES[token].encode() if special else b""


def main(arguments: Sequence[str]) -> int:
    """Write the page, and return 1 if a template did not come back as it was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the templates are: files named *.jinja")
    parser.add_argument(
        "--details", metavar="WORD", help="print what came instead, for templates with this in their name"
    )
    chosen = parser.parse_args(arguments)
    files = sorted(chosen.folder.glob("*.jinja"))
    if not files:
        parser.error(f"{chosen.folder} has no files named *.jinja")
    if chosen.details is not None:
        for file in (file for file in files if chosen.details in file.name):
            print(file.name, *check(file), sep="\n  ")
        return 0
    rows, n_failed = [], 0
    for file in files:
        form, failed = check(file)
        n_failed += any(not failure.startswith(NOT_ALLOWED) for failure in failed.values())
        rows.append(row(file.stem, form, failed))
    summary = f"\n{len(files) - n_failed} of {len(files)} templates come back as they were.\n"
    PAGE.write_text(_HEAD + "".join(rows) + summary)
    print(summary.strip())
    return 0


def check(file: Path) -> tuple[ChatFormat | None, dict[str, str]]:
    """What a template stands for, None if it cannot be compiled, and what did not come back as it was."""
    try:
        renderer = TemplateRenderer(file.read_text(), bos="<bos>", eos=_EOS, max_output_bytes=1 << 20)
    except TemplateFailure as error:
        return None, {"compiling": str(error)}
    try:
        form = chat_format(renderer, EndTokens())
        return form, failures(form, partial(_rendered, TolerantTemplate(renderer), form), END_NAMES, allows)
    finally:
        renderer.close()


def allows(grammar: str, text: str) -> bool:
    """Whether a grammar in Lark allows a text token by token, and an end behind it."""
    tried = _compiler().compile(ConstraintSpec(ConstraintKind.LARK, grammar), field="grammar").start()
    for token in Bytes().tokens_of(text, has_channels="<[" in grammar):
        if not tried.allows(token):
            return False
        tried.accept(token)
    return tried.allows(256)


@cache
def _compiler() -> ConstraintCompiler:
    return ConstraintCompiler.of(Bytes())


def _rendered(
    template: TolerantTemplate,
    form: ChatFormat,
    turns: Sequence[Turn],
    tools: Sequence[Any] | None,
    opens: bool,
    thinks: bool,
) -> str | None:
    switches = form.reasoning_switches
    variables = {switches.on_off: switches.on} if thinks and switches.on_off else {}
    try:
        return template.render(Conversation(turns, opens, tools, variables))
    except InvalidArgument:
        return None


def row(name: str, form: ChatFormat | None, failed: dict[str, str]) -> str:
    """One line of the table."""
    apart = [case for case, failure in failed.items() if failure.startswith(NOT_ALLOWED)]
    outcome = _outcome({case: failure for case, failure in failed.items() if case not in apart})
    cells = [name, "", "", "", "", "", outcome, ", ".join(apart)]
    if form is not None:
        markers = form.reasoning
        cells[1] = form.calls.style.value + (" (fallback)" if form.source == "fallback" else "")
        cells[2] = "yes" if form.renders_tools else "no"
        cells[3] = f"`{_shown(markers.open)}` `{_shown(markers.close)}`" if markers else ""
        cells[4] = ", ".join(f"`{name}`" for name in form.reasoning_switches.variables)
        cells[5] = ", ".join(_history(form))
    return "| " + " | ".join(cells) + " |\n"


def _history(form: ChatFormat) -> list[str]:
    history = form.history
    ids = {CallIds.ANY: "", CallIds.NINE: "nine", CallIds.NUMBERED: "numbered"}
    words = {
        "text": history.arguments_as_text,
        "null": history.null_content,
        "one": not history.parallel,
        ids[history.call_ids]: history.call_ids is not CallIds.ANY,
        "calls as texts": not history.renders_calls,
        "results as user": not history.knows_tool_role,
    }
    return [word for word, is_true in words.items() if is_true]


def _outcome(failed: dict[str, str]) -> str:
    if not failed:
        return "yes"
    if all(failure.startswith("the template refuses") for failure in failed.values()):
        return "refuses all of it"
    return "no" if len(failed) >= len(ANSWERS) else "not " + ", ".join(failed)


def _shown(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "\\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
