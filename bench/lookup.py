"""Tokens that are tried ahead: ``--lookup auto`` against a server without, for answers that copy and for others."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import Quantity, Sample, figures_of
from bench.harness.load import GREEDY, SAMPLING, Job, Target, decode_rate, run_together, story_jobs
from bench.harness.report import Figure, Goal, Result, count_of
from bench.harness.rest_client import RestTarget
from bench.harness.rounds import alternate, describe
from bench.harness.servers import slotline_server
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.settings import Settings

_OFF, _AUTO = "off", "auto"
_COPYING = Quantity("copying", "tokens/s", ratio_goal=Goal("at least", 1.5))
_OTHER = Quantity("not copying", "tokens/s", ratio_goal=Goal("at least", 0.98))
_STREAMS = (1, 4, 8)
_NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ines", "Jon", "Kim", "Leo")
#: A word in each copied object, or line, becomes this one.
_CHANGED = {"Bern": "Oslo", "values": "samples"}


def run(settings: Settings) -> Result:
    """Measure both servers in turns.

    Small models copy badly, so a grammar allows the copy and nothing else; every token is evaluated all the same.
    """
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    figures: list[Figure] = []
    notes: dict[str, None] = {}
    with slotline_server(settings) as off, slotline_server(settings, "--lookup", "auto") as auto:
        targets: dict[str, Target] = {}
        for name, server in ((_OFF, off), (_AUTO, auto)):
            server.server.wait_for_health(server.health_url)
            targets[name] = RestTarget(server.rest_port)
            await run_together(targets[name], story_jobs(settings.n_slots, settings.tokens))
        for quantity, label, jobs in _loads(settings):
            rounds = await alternate(
                {name: partial(_rate, quantity, jobs, target) for name, target in targets.items()},
                repeats=settings.repeats,
                max_foreign_cores=settings.max_foreign_cores,
            )
            figures += figures_of(rounds, [quantity], label=label, peers=(_OFF,), judged=_AUTO)
            notes |= dict.fromkeys(describe(rounds, label))
    title = f"answers of {settings.tokens} tokens, --lookup auto and without"
    return Result("lookup", title, tuple(figures), tuple(notes))


def _loads(settings: Settings) -> list[tuple[Quantity, str, list[Job]]]:
    """What is measured: the quantity, its label, and what all streams ask for."""
    loads = [(_COPYING, f"{what}, 1 stream", [_job(*make(0), settings, 0)]) for what, make in DOCUMENTS.items()]
    for n_streams in (n_streams for n_streams in _STREAMS if n_streams <= settings.n_slots):
        streams = count_of(n_streams, "stream")
        if n_streams > 1:
            loads.append((_COPYING, f"text, {streams}", [_job(*_text(n), settings, n) for n in range(n_streams)]))
        for what, sampling in (("greedy", GREEDY), ("temperature 0.8", SAMPLING)):
            jobs = story_jobs(n_streams, settings.tokens, sampling=sampling)
            loads.append((_OTHER, f"stories, {what}, {streams}", jobs))
    return loads


async def _rate(quantity: Quantity, jobs: list[Job], target: Target) -> Sample:
    return {quantity.name: decode_rate(await run_together(target, jobs))}


def _job(prompt: str, answer: str, settings: Settings, number: int) -> Job:
    """A request whose answer is the beginning of ``answer``."""
    # JSON writes ASCII texts as grammars do.
    grammar = f"root ::= {json.dumps(answer)}"
    return Job(prompt, settings.tokens, seed=number, slot_id=number, sampling=GREEDY, grammar=grammar)


def _text(number: int) -> tuple[str, str]:
    text = text_of(240, number)
    return f"Copy this text:\n{text}\n\nCopy:\n", text


def _json(number: int) -> tuple[str, str]:
    people = [{"name": name, "age": 20 + number + place, "city": "Bern"} for place, name in enumerate(_NAMES)]
    text = json.dumps(people, indent=1)
    return f"Move everybody to Oslo:\n{text}\n\nAnswer:\n", _with_changes(text)


def _code(number: int) -> tuple[str, str]:
    lines = [
        f"def {name.lower()}_of(values: list[float], limit: float = {number}) -> float:\n"
        f'    """The {name} of all numbers below a limit."""\n'
        f"    return sum(value * {place} for value in values if value < limit)\n"
        for place, name in enumerate(_NAMES)
    ]
    text = "\n\n".join(lines)
    return f"Rename values to samples:\n{text}\n\nAnswer:\n", _with_changes(text)


def _quotes(number: int) -> tuple[str, str]:
    passages = [text_of(80, 100 * number + place) for place in range(6)]
    own = [text_of(12, 1000 + 100 * number + place) for place in range(6)]
    quotes = (f'{words}: "{" ".join(passage.split()[20:50])}"' for words, passage in zip(own, passages, strict=True))
    return "\n".join(passages) + "\n\nAnswer with quotes:\n", ". ".join(quotes)


def _with_changes(text: str) -> str:
    for old, new in _CHANGED.items():
        text = text.replace(old, new)
    return text


#: Makes a prompt and what is copied of it, for streams by their numbers.
DOCUMENTS: Mapping[str, Callable[[int], tuple[str, str]]] = {
    "text": _text,
    "JSON": _json,
    "code": _code,
    "quotes": _quotes,
}
