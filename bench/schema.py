"""Answers that obey a nested JSON Schema, against the same server without, and against the same grammar in GBNF."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.harness.contest import Quantity, Sample, figures_of
from bench.harness.load import Job, Target, decode_rate, run_together, story_jobs
from bench.harness.report import Figure, Goal, Result, count_of
from bench.harness.rest_client import RestTarget
from bench.harness.rounds import alternate, describe
from bench.harness.servers import slotline_server
from bench.harness.stats import pair_differences

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.harness.rounds import Rounds
    from bench.settings import Settings

_FREE, _SCHEMA, _GBNF = "free", "schema", "GBNF"
_RATE = Quantity("decoding", "tokens/s", ratio_goal=Goal("at least", 0.95))
_FIRST = Quantity("first token", "ms")
_LATER_MS = Goal("at most", 5.0)
_STREAMS = (1, 4, 8)
#: A prompt of its own for each stream that asks for what the grammars allow.
_PROMPT = "A list of people in JSON, number"

#: Objects in arrays in objects, strings with limits, an enum, a pattern, ranges. The list goes on for longer than any
#: answer, because streams are compared by equal numbers of tokens.
_PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 24},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "address": {
            "type": "object",
            "properties": {
                "street": {"type": "string", "maxLength": 32},
                "zip": {"type": "string", "pattern": "^[0-9]{5}$"},
                "country": {"enum": ["Austria", "Germany", "Switzerland"]},
            },
            "required": ["street", "zip", "country"],
            "additionalProperties": False,
        },
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 12}, "maxItems": 4},
        "active": {"type": "boolean"},
    },
    "required": ["name", "age", "address", "tags", "active"],
    "additionalProperties": False,
}
SCHEMA: Mapping[str, Any] = {"type": "array", "items": _PERSON, "minItems": 1000}
#: The same texts, but for the white space between tokens, of which both allow little, and ages, up to 999 here.
GRAMMAR = r"""root ::= "[" space person ("," space person)* "]"
person ::= "{" space "\"name\":" space name "," space "\"age\":" space age "," space rest
rest ::= "\"address\":" space address "," space "\"tags\":" space tags "," space "\"active\":" space active "}" space
address ::= "{" space "\"street\":" space street "," space "\"zip\":" space zip "," space country "}" space
tags ::= "[" space (tag ("," space tag){0,3})? "]" space
name ::= "\"" char{1,24} "\"" space
street ::= "\"" char{0,32} "\"" space
tag ::= "\"" char{0,12} "\"" space
zip ::= "\"" [0-9]{5} "\"" space
age ::= ("0" | [1-9] [0-9]{0,2}) space
country ::= "\"country\":" space "\"" ("Austria" | "Germany" | "Switzerland") "\"" space
active ::= ("true" | "false") space
char ::= [^"\\\x00-\x1F\x7F] | "\\" ["\\/bfnrt]
space ::= "" | " " | "\n" [ \t]{0,20}
"""


def run(settings: Settings) -> Result:
    """Measure the three kinds of answers in turns."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    figures: list[Figure] = []
    notes: dict[str, None] = {}
    with slotline_server(settings) as server:
        server.server.wait_for_health(server.health_url)
        target = RestTarget(server.rest_port)
        await run_together(target, story_jobs(settings.n_slots, settings.tokens))
        # From here on everything is compiled.
        for kind in _KINDS:
            await run_together(target, _jobs(kind, 1, settings.tokens))
        for n_streams in (n_streams for n_streams in _STREAMS if n_streams <= settings.n_slots):
            label = count_of(n_streams, "stream")
            rounds = await _measured(settings, partial(_rate, target, settings.tokens, n_streams))
            figures += figures_of(rounds, [_RATE], label=label, peers=(_FREE,), judged=_SCHEMA)
            notes |= dict.fromkeys(describe(rounds, label))
        rounds = await _measured(settings, partial(_first_token, target))
        figures += figures_of(rounds, [_FIRST], peers=(), judged=_SCHEMA)
        figures += [_delay(rounds, kind) for kind in (_SCHEMA, _GBNF)]
        notes |= dict.fromkeys(describe(rounds, _FIRST.name))
    title = f"answers of {settings.tokens} tokens that obey a nested schema, and others"
    return Result("schema", title, tuple(figures), tuple(notes))


async def _measured(settings: Settings, measure: Callable[[str], Any]) -> Rounds[Sample]:
    return await alternate(
        {kind: partial(measure, kind) for kind in _KINDS},
        repeats=settings.repeats,
        max_foreign_cores=settings.max_foreign_cores,
    )


async def _rate(target: Target, n_tokens: int, n_streams: int, kind: str) -> Sample:
    return {_RATE.name: decode_rate(await run_together(target, _jobs(kind, n_streams, n_tokens)))}


async def _first_token(target: Target, kind: str) -> Sample:
    (timing,) = await run_together(target, _jobs(kind, 1, 8))
    return {_FIRST.name: timing.first_token_ms}


def _delay(rounds: Rounds[Sample], kind: str) -> Figure:
    """How much later than without a constraint the first token comes."""
    first = {name: [sample[_FIRST.name] for sample in samples] for name, samples in rounds.samples.items()}
    goal = _LATER_MS if kind == _SCHEMA else None
    return Figure("first token, later than free", "ms", pair_differences(first[kind], first[_FREE]), goal, None, kind)


def _jobs(kind: str, n_streams: int, n_tokens: int) -> list[Job]:
    """One prompt per stream, stream i in slot i."""
    constraint = _KINDS[kind]
    return [
        replace(Job(f"{_PROMPT} {number}:\n", n_tokens, seed=number, slot_id=number), **constraint)
        for number in range(n_streams)
    ]


_KINDS: Mapping[str, dict[str, Any]] = {_FREE: {}, _SCHEMA: {"json_schema": SCHEMA}, _GBNF: {"grammar": GRAMMAR}}
