"""LangChain's tools and structured output on the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field, SecretStr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server

City = Literal["Kyiv", "Lviv", "Odesa"]


@tool
def get_weather(city: City, days: Literal[1, 2, 3]) -> str:
    """The weather forecast for a city."""
    return f"{days} days of sun in {city}"


class Place(BaseModel):
    """A place."""

    city: City
    inhabitants: int = Field(ge=0, le=10_000_000)


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """What the models send requests with; clients of their own stay open for ever."""
    with httpx.Client(timeout=60) as client:
        yield client


def chat(server: Server, http: httpx.Client | None, seed: int = 1, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=f"{server.rest_url}/v1",
        api_key=SecretStr("none"),
        model="any",
        seed=seed,
        max_completion_tokens=256,
        max_retries=0,
        http_client=http,
        **options,
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("choice", ["any", "get_weather"])
def test_a_bound_tool_is_called_and_its_result_goes_back(
    server: Server, http: httpx.Client, seed: int, choice: str
) -> None:
    model = chat(server, http, seed)
    question = HumanMessage("What is the weather in Kyiv?")
    answer = model.bind_tools([get_weather], tool_choice=choice, parallel_tool_calls=False).invoke([question])
    assert isinstance(answer, AIMessage)
    assert answer.tool_calls
    assert answer.invalid_tool_calls == []
    results = [get_weather.invoke(call) for call in answer.tool_calls]
    assert all(isinstance(result, ToolMessage) and "sun in" in result.text for result in results)
    final = model.bind_tools([get_weather], tool_choice="none").invoke([question, answer, *results])
    assert final.text
    assert final.tool_calls == []


def test_a_streamed_call_adds_up(server: Server, http: httpx.Client) -> None:
    model = chat(server, http, temperature=0).bind_tools([get_weather], tool_choice="any", parallel_tool_calls=False)
    first, *rest = model.stream("What is the weather in Lviv?")
    assert isinstance(first, AIMessageChunk)
    whole = add_ai_message_chunks(first, *(piece for piece in rest if isinstance(piece, AIMessageChunk)))
    (call,) = whole.tool_calls
    (expected,) = model.invoke("What is the weather in Lviv?").tool_calls
    assert (call["name"], call["args"]) == (expected["name"], expected["args"])
    assert call["id"]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
@pytest.mark.parametrize("seed", range(3))
def test_structured_output(
    server: Server, http: httpx.Client, method: Literal["json_schema", "function_calling"], seed: int
) -> None:
    model = chat(server, http, seed).with_structured_output(Place, method=method)
    assert isinstance(model.invoke("Describe a city."), Place)


async def test_structured_output_in_coroutines(server: Server) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        model = chat(server, None, http_async_client=client).with_structured_output(Place)
        places = await asyncio.gather(*(model.ainvoke("Describe a city.") for _ in range(3)))
    assert all(isinstance(place, Place) for place in places)
