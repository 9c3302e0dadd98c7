"""What users of instructor write. It runs in an environment of its own; see ``test_instructor``.

Arguments: the address of the server. Prints a line of JSON for each answer.
"""

# mypy: ignore-errors

from __future__ import annotations

import json
import sys
from typing import Literal

import instructor
import openai
from pydantic import BaseModel, ConfigDict, Field

MODES = (instructor.Mode.TOOLS, instructor.Mode.TOOLS_STRICT, instructor.Mode.JSON_SCHEMA)


class Place(BaseModel):
    """A place."""

    # Otherwise objects may have more properties, and a small model does not stop to make them up.
    model_config = ConfigDict(extra="forbid")

    city: Literal["Kyiv", "Lviv", "Odesa"]
    inhabitants: int = Field(ge=0, le=10_000_000)


def main(url: str) -> None:
    plain = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60)
    question = [{"role": "user", "content": "Describe a city in Ukraine."}]
    for mode in MODES:
        client = instructor.from_openai(plain, mode=mode)
        for seed in range(3):
            options = {"model": "any", "messages": question, "seed": seed, "max_tokens": 256, "max_retries": 0}
            place, completion = client.chat.completions.create_with_completion(response_model=Place, **options)
            show(mode, "whole", place)
            # The call and its result, and another question.
            message = completion.choices[0].message
            turns = [message.model_dump(exclude_unset=True)]
            turns += [{"role": "tool", "tool_call_id": call.id, "content": "ok"} for call in message.tool_calls or ()]
            turns.append({"role": "user", "content": "And another one."})
            again = client.chat.completions.create(response_model=Place, **options | {"messages": [*question, *turns]})
            show(mode, "again", again)
        *_, last = client.chat.completions.create_partial(response_model=Place, **options)
        show(mode, "streamed", Place.model_validate(last.model_dump()))


def show(mode: instructor.Mode, kind: str, place: Place) -> None:
    assert isinstance(place, Place)
    print(json.dumps({"mode": mode.name, "kind": kind, "place": place.model_dump()}))


main(sys.argv[1])
