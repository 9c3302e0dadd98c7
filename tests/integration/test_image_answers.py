"""What a served model says of pictures: sentences with their colours, and what the library's own helper says."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio

from service.api.server.core_server import CoreServer
from service.config import CoreConfig, MediaOptions, ModelConfig
from slotline.client import AsyncClient, image
from tests.support.image_files import encoded
from tests.support.library_helper import helper_answers
from tests.support.scripted_core import WAIT_S, started
from tests.support.seeing_model import PRIMARY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from slotline.v1 import prompt_pb2
    from tests.support.seeing_model import Kind, Pixels, Projector, SeeingModels, TextModel

# Seconds, but minutes on a machine that does many other things.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(900)]

N_TOKENS = 6
#: As long as a step may take where nothing shall be cut.
UNHURRIED_MS = 60_000.0


@dataclass(frozen=True, slots=True)
class Seer:
    """A core with a projector, and a client of it."""

    client: AsyncClient
    projector: Projector

    def show(self, colour: str) -> prompt_pb2.Image:
        """A picture of one colour."""
        return image(encoded(self.projector.draw(colour)))

    async def ask(self, prompt: Any, *, max_tokens: int, is_prefilled: bool = False) -> str:
        """The likeliest text behind a prompt."""
        options: Any = {"continue_final_message": True} if is_prefilled else {}
        completion = await self.client.complete(
            prompt, max_tokens=max_tokens, temperature=0, repeat_penalty=1.0, **options
        )
        return completion.text.strip()


@contextlib.asynccontextmanager
async def started_seer(projector: Projector, n_ctx: int, n_parallel: int) -> AsyncIterator[Seer]:
    """A core; prompts are not cut into steps."""
    config = CoreConfig(
        model=ModelConfig(str(projector.text_model), n_ctx=n_ctx, n_parallel=n_parallel, n_threads=1),
        media=MediaOptions(mmproj=str(projector.path)),
        listen=("127.0.0.1:0",),
        idle_prefill_budget_ms=UNHURRIED_MS,
    )
    server = CoreServer(config)
    async with started(server), AsyncClient(server.addresses[0], deadline_s=10 * WAIT_S) as client:
        yield Seer(client, projector)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seer(seeing: SeeingModels) -> AsyncIterator[Seer]:
    """The default model with LLaVA's kind of projector, of two by two patches."""
    async with started_seer(seeing.projector("causal"), n_ctx=1024, n_parallel=4) as made:
        yield made


ONE = "What is the color of the picture? Answer with one word."
#: Prompts whose answer begins with the colour: parts of a text, or a conversation.
AT_ONCE: dict[str, Callable[[object], tuple[list[object], bool]]] = {
    "picture": lambda shown: (["Picture:", shown, "\nThe colour of the picture is"], False),
    "question": lambda shown: (
        ["A picture:", shown, "\nQuestion: What colour is the picture?\nAnswer: The picture is"],
        False,
    ),
    "look": lambda shown: (["Look at the picture:", shown, ".\nWhat colour is the picture? The picture is"], False),
    "begun answer": lambda shown: (
        [
            {"role": "user", "content": [shown, ONE]},
            {"role": "assistant", "content": "The color of the picture is"},
        ],
        True,
    ),
}
#: Conversations in whose answers the colour comes within ten tokens.
SOON: dict[str, Callable[[object], list[object]]] = {
    "chat": lambda shown: [
        {
            "role": "user",
            "content": ["The picture is", shown, ".\nWhat is the colour of the picture? Answer with one word."],
        }
    ],
    "say": lambda shown: [{"role": "user", "content": ["Say the word:", shown]}],
}


@pytest.mark.parametrize("name", list(AT_ONCE))
async def test_an_answer_begins_with_the_colour_of_the_picture(seer: Seer, name: str) -> None:
    for colour in PRIMARY:
        prompt, is_prefilled = AT_ONCE[name](seer.show(colour))
        assert (await seer.ask(prompt, max_tokens=4, is_prefilled=is_prefilled)).lower().startswith(colour)


@pytest.mark.parametrize("name", list(SOON))
async def test_an_answer_names_the_colour_of_the_picture(seer: Seer, name: str) -> None:
    for colour in PRIMARY:
        answer = (await seer.ask(SOON[name](seer.show(colour)), max_tokens=10)).lower()
        assert colour in answer
        assert not any(other in answer for other in PRIMARY if other != colour)


PAIRS = list(itertools.permutations(PRIMARY, 2))


@pytest.mark.parametrize(("car", "house"), PAIRS)
async def test_two_pictures_are_told_apart(seer: Seer, car: str, house: str) -> None:
    shown = seer.show(car), seer.show(house)
    plain = ["The car is", shown[0], ". The house is", shown[1], ".\nQuestion: What colour is the house?\n"]
    assert (await seer.ask([*plain, "Answer: The house is"], max_tokens=4)).lower().startswith(house)

    def asked(question: str) -> dict[str, object]:
        content = ["The car is", shown[0], " and the house is", shown[1], f". {question}"]
        return {"role": "user", "content": content}

    for thing, colour in (("car", car), ("house", house)):
        prefilled = [asked(f"What colour is the {thing}?"), {"role": "assistant", "content": f"The {thing} is"}]
        assert (await seer.ask(list(prefilled), max_tokens=4, is_prefilled=True)).lower().startswith(colour)
    free = (await seer.ask([asked("What colour is the car?")], max_tokens=12)).lower()
    assert first_colour(free) == car
    repeated = (await seer.ask([asked("Repeat the sentence.")], max_tokens=16)).lower()
    assert repeated.find(car) < repeated.find(house)
    assert car in repeated


def first_colour(text: str) -> str:
    """The colour that comes first."""
    return min((name for name in PRIMARY if name in text), key=text.find, default="")


#: Rows and columns of the pictures that are shown, in patches.
SHAPES: dict[Kind, tuple[tuple[int, int], ...]] = {
    "causal": ((2, 2),),
    "bidirectional": ((2, 2),),
    "grid": ((2, 4), (4, 2), (3, 3), (3, 4)),
}


@pytest.mark.parametrize(
    ("kind", "text_model"),
    [("causal", "default"), ("bidirectional", "default"), ("bidirectional", "gemma"), ("grid", "mrope")],
)
async def test_answers_are_those_of_the_librarys_helper(
    seeing: SeeingModels, kind: Kind, text_model: TextModel
) -> None:
    projector = seeing.projector(kind, text_model)
    prompts = [prompt_for(projector, number) for number in range(8)]
    references = helper_answers(projector.text_model, projector.path, prompts, n_tokens=N_TOKENS)
    async with started_seer(projector, n_ctx=512, n_parallel=1) as seer:
        for prompt, reference in zip(prompts, references, strict=True):
            completion = await seer.client.complete(
                [part if isinstance(part, str) else image(encoded(part)) for part in prompt],
                max_tokens=N_TOKENS,
                temperature=0,
                repeat_penalty=1.0,
                ignore_eos=True,
                top_logprobs=3,
                # Kernels' sums depend on where a prompt is cut.
                cache_prompt=False,
            )
            assert completion.usage.prompt_tokens == reference.n_cells
            rows = reference.logits.astype(np.float64)
            logprobs = rows - np.log(np.exp(rows - rows.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True))
            logprobs -= rows.max(axis=1, keepdims=True)
            for token, row in zip(completion.tokens, logprobs, strict=True):
                ids = [other.id for other in token.top_logprobs]
                assert ids == np.argsort(-row, kind="stable")[:3].tolist()
                np.testing.assert_allclose([other.logprob for other in token.top_logprobs], row[ids], atol=1e-4)


def prompt_for(projector: Projector, number: int) -> list[str | Pixels]:
    """A prompt with one or two pictures."""
    names = itertools.cycle(PRIMARY[number % 3 :] + PRIMARY[: number % 3] + PRIMARY[:1])
    shapes = SHAPES[projector.kind]

    def picture(of: int) -> Pixels:
        height, width = shapes[of % len(shapes)]
        return projector.draw(*(" ".join(itertools.islice(names, width)) for _ in range(height)))

    prompt: list[str | Pixels] = ["The car is", picture(number), " and"]
    if number % 2:
        prompt += [picture(number // 2), " is the house"]
    return prompt
