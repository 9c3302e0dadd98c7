"""The program in which chat templates run: reads requests from stdin, writes replies to stdout, until stdin ends.

``service.prompts.template_process`` starts it; ``service.prompts.renderer`` explains why it is a process of its own. It
is run as a file, imports nothing of this project and must not start doing so.

Requests and replies are lines of JSON: ``{"compile": {...}}`` or ``{"render": {...}}``, answered with ``text`` or
``error``. A request that takes more than ``cpu_limit_s`` of CPU time is ended by the kernel, and this process with it.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ERROR_CHARS = 400


class RefusedByTemplate(jinja2.TemplateError):
    """The template called ``raise_exception``."""


class OutputTooLong(Exception):
    """The template wrote more than it may."""


class GenerationTag(jinja2.ext.Extension):
    """``{% generation %}`` marks assistant text for training; here it only holds its content."""

    tags = {"generation"}  # noqa: RUF012 (the base class declares it as a set)

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        """The content of the block, as if it stood there alone."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def make_environment() -> jinja2.sandbox.SandboxedEnvironment:
    """The environment that templates of published models are written for.

    They may change lists and dictionaries, as Kimi K2's does: all that a rendering can reach was decoded for it, so
    nothing stays behind for the next one.
    """
    environment = jinja2.sandbox.SandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


class Worker:
    """Answers requests with one compiled template."""

    def __init__(self) -> None:
        self._environment = make_environment()
        self._template: jinja2.Template | None = None
        self._specials: dict[str, str] = {}
        self._max_output_bytes = 0

    def answer(self, request: dict[str, Any]) -> dict[str, str]:
        """The reply to one request; failures of the template are replies too."""
        try:
            if "compile" in request:
                self._compile(**request["compile"])
                return {"text": ""}
            return {"text": self._render(request["render"])}
        except RefusedByTemplate as error:
            return {"error": _bounded(str(error))}
        except OutputTooLong:
            return {"error": f"the chat template writes more than {self._max_output_bytes} bytes"}
        except MemoryError:
            return {"error": "the chat template needs too much memory"}
        except RecursionError:
            return {"error": "the chat template nests too deeply"}
        except Exception as error:  # a template can raise anything, and nothing of it is a fault of this program
            return {"error": _bounded(f"the chat template fails{_where(error)}: {type(error).__name__}: {error}")}

    def _compile(self, source: str, specials: dict[str, str], max_output_bytes: int) -> None:
        self._specials = specials
        self._max_output_bytes = max_output_bytes
        self._template = self._environment.from_string(source)

    def _render(self, variables: dict[str, Any]) -> str:
        assert self._template is not None, "compile comes first"
        chunks: list[str] = []
        n_chars = 0
        for chunk in self._template.generate(**self._specials, **variables):
            n_chars += len(chunk)
            if n_chars > self._max_output_bytes:
                raise OutputTooLong
            chunks.append(chunk)
        text = "".join(chunks)
        if len(text.encode()) > self._max_output_bytes:
            raise OutputTooLong
        return text


def requests(stream: BinaryIO, cpu_limit_s: float) -> Iterator[dict[str, Any]]:
    """The requests until the stream ends; the CPU clock runs while one is worked on."""
    while line := stream.readline():
        # SIGPROF's default action ends the process, also in the middle of a long C call where no Python code runs.
        signal.setitimer(signal.ITIMER_PROF, cpu_limit_s)
        yield json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, 0)


def main(cpu_limit_s: float, memory_limit_bytes: int) -> None:
    """Answer until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes stdin when it is done
    resource.setrlimit(resource.RLIMIT_AS, (memory_limit_bytes, memory_limit_bytes))
    worker = Worker()
    for request in requests(sys.stdin.buffer, cpu_limit_s):
        sys.stdout.buffer.write(json.dumps(worker.answer(request)).encode() + b"\n")
        sys.stdout.buffer.flush()


def _to_json(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes for HTML, which would put \u003c into prompts.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: str) -> None:
    raise RefusedByTemplate(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)


def _where(error: Exception) -> str:
    """`` in line N`` of the template, as far as it is known."""
    line = error.lineno if isinstance(error, jinja2.TemplateSyntaxError) else None
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == "<template>":
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f" in line {line}" if line else ""


def _bounded(text: str) -> str:
    # "replace" because the text may hold lone surrogates, which no status message can carry.
    text = text.encode(errors="replace").decode()
    return text if len(text) <= MAX_ERROR_CHARS else text[: MAX_ERROR_CHARS - 3] + "..."


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
