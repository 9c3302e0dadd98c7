"""Constraints over gRPC on the default model: many at once, at several seeds; and what others notice of them."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import grpc
import jsonschema
import pytest
import pytest_asyncio

from service.api.server.core_server import CoreServer
from service.config import CoreConfig, ModelConfig
from slotline.cli.default_model import default_model_path
from slotline.v1 import generation_pb2, sampling_pb2
from tests.support.scripted_core import RunningCore, started, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.asyncio(loop_scope="module")

Constraint = generation_pb2.Constraint
STYLE = generation_pb2.JsonStyle
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "size": {"type": "integer", "minimum": 1, "maximum": 99},
        "parts": {"type": "array", "items": {"enum": ["a", "b", None]}, "maxItems": 2},
    },
    "required": ["name", "size", "parts"],
    "additionalProperties": False,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def core() -> AsyncIterator[RunningCore]:
    """Three slots of 512 tokens for all that comes."""
    model = ModelConfig(path=str(default_model_path()), n_ctx=1536, n_parallel=3, n_threads=1, n_threads_batch=1)
    async with started(CoreServer(CoreConfig(model=model, listen=("127.0.0.1:0",)))) as running:
        yield running


def request(constraint: Constraint, seed: int, max_tokens: int = 200) -> generation_pb2.GenerateRequest:
    return generation_pb2.GenerateRequest(
        text="An answer:",
        constraint=constraint,
        sampling=sampling_pb2.SamplingParams(seed=seed, temperature=1.5),
        stop=generation_pb2.StopParams(max_tokens=max_tokens),
    )


def matches(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


def obeys_schema(text: str) -> bool:
    jsonschema.validate(json.loads(text), SCHEMA)
    return True


CASES: tuple[tuple[Constraint, Callable[[str], bool]], ...] = (
    (Constraint(json_schema=json.dumps(SCHEMA)), obeys_schema),
    (Constraint(json_schema=json.dumps(SCHEMA), json_style=STYLE(disable_any_whitespace=True)), obeys_schema),
    (Constraint(json_schema='{"enum":["x","yz"]}'), matches('"x"|"yz"')),
    (Constraint(regex=r"(\d{2}:){2}\d{2} [A-Z]{3}"), matches(r"(\d{2}:){2}\d{2} [A-Z]{3}")),
    (Constraint(choice=generation_pb2.Choices(texts=["Ja", "Nein", "日本語"])), matches("Ja|Nein|日本語")),
    (
        Constraint(lark='start: "<" WORD ("," WORD)~1..3 ">"\nWORD: /[a-z]{2,4}/'),
        matches("<[a-z]{2,4}(,[a-z]{2,4}){1,3}>"),
    ),
    (Constraint(gbnf='root ::= "(" [0-9]{3} ")"'), matches(r"\([0-9]{3}\)")),
)


async def test_all_kinds_at_once_are_obeyed_at_any_seed(core: RunningCore) -> None:
    runs = [(constraint, obeys, seed) for seed in range(3) for constraint, obeys in CASES]
    answers = await asyncio.gather(*(core.generate(request(constraint, seed)) for constraint, _, seed in runs))
    for (constraint, obeys, _), answer in zip(runs, answers, strict=True):
        last = answer[-1].finished
        assert last.reason == generation_pb2.FINISH_REASON_STOP, constraint
        assert last.HasField("eos_token_id")
        assert obeys(text_of(answer)), (constraint, text_of(answer))
        assert last.settings.grammar == constraint.gbnf


async def test_any_object_begins_as_one(core: RunningCore) -> None:
    constraint = Constraint(json_object=generation_pb2.JsonObject())
    answers = await asyncio.gather(*(core.generate(request(constraint, seed, 60)) for seed in range(4)))
    for answer in answers:
        text = text_of(answer)
        assert text.startswith("{")
        if answer[-1].finished.reason == generation_pb2.FINISH_REASON_STOP:
            assert isinstance(json.loads(text), dict)


async def test_a_seed_gives_the_same_text_again(core: RunningCore) -> None:
    constraint = Constraint(json_schema=json.dumps(SCHEMA))
    # The first of them evaluates the prompt, and the others continue its cells: these have the same logits.
    _, first, second = [text_of(await core.generate(request(constraint, 7))) for _ in range(3)]
    assert first == second


async def test_a_constraint_that_is_not_reached_changes_nothing(core: RunningCore) -> None:
    """Draws that fit are kept, so a constraint that allows everything changes no text."""
    plain = request(Constraint(), 3, 24)
    plain.ClearField("constraint")
    anything = request(Constraint(regex=r"(?s:.*)"), 3, 24)
    # The first of them evaluates the prompt, and the others continue its cells: these have the same logits.
    _, one, other = [text_of(await core.generate(each)) for each in (plain, plain, anything)]
    assert one == other


async def test_a_schema_that_cannot_be_enforced_names_its_path(core: RunningCore) -> None:
    constraint = Constraint(json_schema='{"properties":{"a":{"items":{"contains":{}}}}}')
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await core.generate(request(constraint, 1))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == (
        "constraint.json_schema: /properties/a/items/contains is not supported; leave it out"
    )
    # With a lenient style it is left out.
    constraint.json_style.lenient = True
    assert text_of(await core.generate(request(constraint, 1, 5)))


async def test_requests_go_on_while_a_large_schema_is_compiled(core: RunningCore) -> None:
    names = [f"p{number}" for number in range(1500)]
    large = {"type": "object", "properties": {name: {"type": "integer"} for name in names}, "required": names}
    slow = asyncio.ensure_future(core.generate(request(Constraint(json_schema=json.dumps(large)), 1, 8)))
    plain = await core.generate(request(Constraint(choice=generation_pb2.Choices(texts=["yes"])), 1))
    assert text_of(plain) == "yes"
    assert text_of(await slow).startswith("{")
