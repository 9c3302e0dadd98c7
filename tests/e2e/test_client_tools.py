"""Tools and typed answers of the Python client with the default model, which knows no tools by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pydantic
import pytest

from slotline.client import AsyncClient, Client, Message, Tools

if TYPE_CHECKING:
    from tests.support.server import Server

SEEDS = range(1, 6)
DEADLINE_S = 120.0


class Order(pydantic.BaseModel):
    """A model with what small models get wrong."""

    item: str = pydantic.Field(max_length=20)
    amount: int = pydantic.Field(ge=1, le=9)
    size: Literal["small", "large"]
    notes: list[str] = pydantic.Field(max_length=2)


def get_weather(
    city: Literal["Paris", "Berlin"], unit: Literal["celsius", "fahrenheit"] = "celsius"
) -> dict[str, object]:
    """The weather in a city, now. Its arguments are short, whatever a hot model draws."""
    return {"city": city, "temperature": 21, "unit": unit}


def add(first: int, second: int) -> int:
    """The sum of two numbers."""
    return first + second


@pytest.mark.parametrize("seed", SEEDS)
def test_calls_can_be_run_at_any_seed(seed: int, server: Server) -> None:
    tools = Tools([get_weather, add])
    messages: list[Message] = [{"role": "user", "content": "What is the weather in Paris?"}]
    with Client(server.grpc_address, deadline_s=DEADLINE_S) as client:
        answer = client.complete(
            messages, tools=tools, tool_choice="required", parallel_tool_calls=False, seed=seed, temperature=1.5
        )
        assert (len(answer.tool_calls), answer.finish_reason) == (1, "tool_calls")
        turns = tools.run(answer)
        # Not even the types of arguments are wrong.
        assert not str(turns[1]["content"]).startswith("Error")
        last = client.complete([*messages, *turns], tools=tools, tool_choice="none", seed=seed, max_tokens=8)
        assert last.text
        assert last.tool_calls == ()


async def test_only_allowed_tools_are_called(server: Server) -> None:
    tools = Tools([get_weather, add])
    messages: list[Message] = [{"role": "user", "content": "What is the weather in Paris?"}]
    async with AsyncClient(server.grpc_address, deadline_s=DEADLINE_S) as client:
        answer = await client.complete(
            messages, tools=tools, tool_choice="required", allowed_tools=["add"], parallel_tool_calls=False, seed=1
        )
        assert [call.name for call in answer.tool_calls] == ["add"]
        assert len(await tools.run_async(answer)) == 2


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_fit_a_model_at_any_seed(seed: int, server: Server) -> None:
    with Client(server.grpc_address, deadline_s=DEADLINE_S) as client:
        order = client.parse(
            [{"role": "user", "content": "I want two big pizzas. Write my order as JSON."}],
            Order,
            seed=seed,
            temperature=1.5,
            json_style={"disable_any_whitespace": True, "disable_additional_properties": True},
        )
        assert isinstance(order.value, Order)
