"""Agents on the Responses API: the OpenAI Agents SDK with its model for responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import agents
import openai
import pytest
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.server import Server

SEEDS = range(3)
City = Literal["Kyiv", "Lviv", "Odesa"]
QUESTION = "What is the weather in Kyiv?"
UNTRACED = agents.RunConfig(tracing_disabled=True)


class Place(BaseModel):
    """A place."""

    city: City
    inhabitants: int = Field(ge=0, le=10_000_000)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{server.rest_url}/v1", api_key="none", max_retries=0, timeout=60) as made:
        yield made


def weather_agent(client: openai.AsyncOpenAI, asked: list[str], seed: int) -> agents.Agent[None]:
    @agents.function_tool
    def get_weather(city: City) -> str:
        """The weather forecast for a city."""
        asked.append(city)
        return "sunny"

    return agents.Agent(
        name="weather",
        instructions="You answer in one sentence.",
        model=agents.OpenAIResponsesModel("any", client),
        tools=[get_weather],
        # The SDK demands a call once; afterwards the model chooses. An answer that is cut is an error to it.
        model_settings=agents.ModelSettings(
            tool_choice="required", temperature=0.2, store=False, parallel_tool_calls=False, extra_body={"seed": seed}
        ),
    )


@pytest.mark.parametrize("seed", SEEDS)
async def test_an_agent_calls_a_function_and_answers(client: openai.AsyncOpenAI, seed: int) -> None:
    asked: list[str] = []
    result = await agents.Runner.run(weather_agent(client, asked, seed), QUESTION, run_config=UNTRACED)
    assert asked
    assert isinstance(result.final_output, str)
    usage = result.context_wrapper.usage
    assert usage.requests >= 2
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


async def test_an_agent_streams_the_same(client: openai.AsyncOpenAI) -> None:
    asked: list[str] = []
    streamed = agents.Runner.run_streamed(weather_agent(client, asked, 1), QUESTION, run_config=UNTRACED)
    kinds = [event.data.type async for event in streamed.stream_events() if event.type == "raw_response_event"]
    assert asked
    assert isinstance(streamed.final_output, str)
    assert {"response.created", "response.function_call_arguments.done", "response.completed"} <= set(kinds)


@pytest.mark.parametrize("seed", SEEDS)
async def test_an_agent_ends_with_a_typed_result(client: openai.AsyncOpenAI, seed: int) -> None:
    agent = agents.Agent(
        name="places",
        model=agents.OpenAIResponsesModel("any", client),
        output_type=Place,
        model_settings=agents.ModelSettings(max_tokens=256, extra_body={"seed": seed}),
    )
    streamed = agents.Runner.run_streamed(agent, "Describe a city.", run_config=UNTRACED)
    assert [event async for event in streamed.stream_events()]
    assert isinstance(streamed.final_output, Place)


async def test_one_agent_hands_over_to_another(client: openai.AsyncOpenAI) -> None:
    model = agents.OpenAIResponsesModel("any", client)
    settings = agents.ModelSettings(temperature=0)
    # Short answers: to the SDK, one that is cut is an error.
    expert = agents.Agent(
        name="expert", instructions="You answer in one sentence.", model=model, model_settings=settings
    )
    desk = agents.Agent(
        name="desk",
        instructions="You hand everything over.",
        model=model,
        handoffs=[expert],
        model_settings=settings.resolve(agents.ModelSettings(tool_choice="required", parallel_tool_calls=False)),
    )
    result = await agents.Runner.run(desk, "What is the capital of Germany?", run_config=UNTRACED)
    assert result.last_agent.name == "expert"
    assert isinstance(result.final_output, str)
