"""The table of commands. A command's module is imported only when it runs, so that help and errors are instant."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from slotline.cli.chat.chat_options import CHAT_GROUPS
from slotline.cli.options import help as help_texts
from slotline.cli.options.core_options import CORE_GROUPS
from slotline.cli.options.environment import variables
from slotline.cli.options.healthcheck_options import HEALTHCHECK_GROUPS
from slotline.cli.options.rest_options import REST_GROUPS
from slotline.cli.options.serve_options import SERVE_GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from slotline.cli.options.table import Group, Parsed


@dataclass(frozen=True, slots=True)
class Command:
    """A command with options.

    Attributes:
        name: as it is typed.
        summary: for the overview.
        about: for its own help.
        groups: its options.
        module: holds ``run(parsed: Parsed) -> int``, which gives the exit status.
        examples: for its own help.
        reads_llama_variables: llama.cpp's environment variables count, behind our own.
    """

    name: str
    summary: str
    about: str
    groups: Sequence[Group]
    module: str
    examples: tuple[str, ...] = ()
    reads_llama_variables: bool = False

    @property
    def usage(self) -> str:
        """Its help."""
        return help_texts.usage(self.name, self.groups, about=self.about, examples=self.examples)

    def run(self, parsed: Parsed) -> int:
        """Run it; returns the exit status."""
        function = cast("Callable[[Parsed], int]", importlib.import_module(self.module).run)
        return function(parsed)


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "serve",
            "serve a model over REST and gRPC",
            "Serves a GGUF model to many clients at once: the REST API of the llama.cpp server and the OpenAI API on "
            "one port, gRPC (slotline.v1) on another. Takes the options of the llama.cpp server.",
            SERVE_GROUPS,
            "slotline.cli.serve.serve",
            (
                "slotline serve                                   the default model on 127.0.0.1:8080",
                "slotline serve -m model.gguf -c 8192 -np 4       4 requests at a time, 2048 tokens each",
                "slotline serve --host 0.0.0.0 --grpc-listen 0.0.0.0:50051",
            ),
            reads_llama_variables=True,
        ),
        Command(
            "core",
            "serve a model over gRPC only",
            "Runs the gRPC service alone. REST adapters, here or on other machines, can be put in front of it with "
            "`slotline rest`.",
            CORE_GROUPS,
            "slotline.cli.serve.core",
            ("slotline core -m model.gguf --listen 0.0.0.0:50051 -c 8192 -np 4",),
            reads_llama_variables=True,
        ),
        Command(
            "rest",
            "serve REST in front of a running core",
            "Runs the REST adapter alone. It keeps no state, so any number of them may serve one core.",
            REST_GROUPS,
            "slotline.cli.serve.rest",
            ("slotline rest --core core.example:50051 --host 0.0.0.0 --port 8080",),
            reads_llama_variables=True,
        ),
        Command(
            "chat",
            "chat with a running server in the terminal",
            "Chats in the terminal with whatever serves the REST API, or, with a message or without a terminal, prints "
            "one answer and nothing else. /help in a chat lists its commands.",
            CHAT_GROUPS,
            "slotline.cli.chat.command",
            (
                "slotline chat",
                'slotline chat "What is the capital of Germany?"',
                "slotline chat Say in one sentence what this does: - < program.py",
                'slotline chat --url http://example:8080 --system "Answer in rhymes." --set temperature=0.3',
            ),
        ),
        Command(
            "healthcheck",
            "ask a running server whether it is ready",
            "Prints one line; the exit status is 0 if the server is ready and 1 if it is not. Made for the health "
            "checks of containers.",
            HEALTHCHECK_GROUPS,
            "slotline.cli.healthcheck",
            (
                "slotline healthcheck --grpc 127.0.0.1:50051",
                "slotline healthcheck --http http://127.0.0.1:8080/health",
            ),
        ),
    )
}

#: Environment variables that stand for an option of some command.
KNOWN_VARIABLES = frozenset(name for command in COMMANDS.values() for name in variables(command.groups))


def overview() -> str:
    """What ``slotline`` alone prints."""
    lines = [
        "usage: slotline COMMAND [options]",
        "",
        "Serves GGUF language models over gRPC, REST and the OpenAI API.",
        "",
        "commands:",
        *(f"  {command.name:<14}{command.summary}" for command in COMMANDS.values()),
        f"  {'version':<14}print versions",
        f"  {'help':<14}print this, or with the name of a command its options",
        "",
        "to begin with:",
        "  slotline serve",
        "  slotline chat",
        '  curl http://127.0.0.1:8080/completion -d \'{"prompt": "Once upon a time", "n_predict": 32}\'',
    ]
    return "\n".join(lines) + "\n"
