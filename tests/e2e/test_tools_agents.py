"""Frameworks for agents on the server: pydantic-ai, and the OpenAI Agents SDK with its model for chat completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import agents
import openai
import pytest
from pydantic import BaseModel, Field
from pydantic_ai import Agent, NativeOutput, RunContext, ToolOutput
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ToolCallPart, ToolReturnPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.server import Server

SEEDS = range(3)
City = Literal["Kyiv", "Lviv", "Odesa"]
QUESTION = "What is the weather in Kyiv?"


class Place(BaseModel):
    """A place."""

    city: City
    inhabitants: int = Field(ge=0, le=10_000_000)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{server.rest_url}/v1", api_key="none", max_retries=0, timeout=60) as made:
        yield made


def model_of(client: openai.AsyncOpenAI) -> OpenAIChatModel:
    return OpenAIChatModel("any", provider=OpenAIProvider(openai_client=client))


class ToolFirst(AbstractCapability[None]):
    """First a tool is called, then the agent answers; left to itself a small model may call tools for ever."""

    def get_model_settings(self) -> Callable[[RunContext[None]], ModelSettings]:
        return lambda context: ModelSettings(tool_choice=["get_weather"] if context.run_step == 1 else "none")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("output", [ToolOutput(Place, name="answer"), NativeOutput(Place)], ids=["tool", "schema"])
async def test_an_agent_of_pydantic_ai_calls_a_tool_and_ends_with_a_typed_result(
    client: openai.AsyncOpenAI, seed: int, output: ToolOutput[Place] | NativeOutput[Place]
) -> None:
    agent = Agent(model_of(client), output_type=output, capabilities=[ToolFirst()])
    asked: list[str] = []

    @agent.tool_plain
    def get_weather(city: City) -> str:
        """The weather forecast for a city."""
        asked.append(city)
        return "sunny"

    result = await agent.run(
        QUESTION, model_settings=ModelSettings(seed=seed, max_tokens=256, parallel_tool_calls=False)
    )
    assert asked
    assert isinstance(result.output, Place)
    parts = [part for message in result.all_messages() for part in message.parts]
    calls = [part.tool_call_id for part in parts if isinstance(part, ToolCallPart) and part.tool_name == "get_weather"]
    returns = [part.tool_call_id for part in parts if isinstance(part, ToolReturnPart)]
    assert calls == returns[: len(calls)]
    assert len(calls) == len(asked)


@pytest.mark.parametrize("seed", SEEDS)
async def test_pydantic_ai_takes_a_schema_as_the_form_of_the_answer(client: openai.AsyncOpenAI, seed: int) -> None:
    agent = Agent(model_of(client), output_type=NativeOutput(Place))
    result = await agent.run("Describe a city.", model_settings=ModelSettings(seed=seed, max_tokens=256))
    assert isinstance(result.output, Place)


@pytest.mark.parametrize("seed", SEEDS)
async def test_an_agent_of_the_agents_sdk_calls_a_function_and_answers(client: openai.AsyncOpenAI, seed: int) -> None:
    asked: list[str] = []

    @agents.function_tool
    def get_weather(city: City) -> str:
        """The weather forecast for a city."""
        asked.append(city)
        return "sunny"

    agent = agents.Agent(
        name="weather",
        instructions="You answer in one sentence.",
        model=agents.OpenAIChatCompletionsModel("any", client),
        tools=[get_weather],
        # The SDK demands a call once; afterwards the model chooses.
        model_settings=agents.ModelSettings(
            tool_choice="required", parallel_tool_calls=False, max_tokens=128, extra_body={"seed": seed}
        ),
    )
    result = await agents.Runner.run(agent, QUESTION, run_config=agents.RunConfig(tracing_disabled=True))
    assert asked
    assert isinstance(result.final_output, str)


async def test_the_agents_sdk_streams_and_ends_with_a_typed_result(client: openai.AsyncOpenAI) -> None:
    agent = agents.Agent(
        name="places",
        model=agents.OpenAIChatCompletionsModel("any", client),
        output_type=Place,
        model_settings=agents.ModelSettings(max_tokens=256, extra_body={"seed": 1}),
    )
    streamed = agents.Runner.run_streamed(agent, "Describe a city.", run_config=agents.RunConfig(tracing_disabled=True))
    events = [event async for event in streamed.stream_events()]
    assert events
    assert isinstance(streamed.final_output, Place)
