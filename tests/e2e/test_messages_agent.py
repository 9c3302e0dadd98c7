"""The session of a coding agent over /v1/messages: what it sends in its turns, and how little of it is evaluated again.

The requests have the shape of those of agents for the terminal: blocks of instructions, of which the first is another
one every time, marks for caches everywhere, tools, some of which run on the servers of the Anthropic API, and a history
that is sent as a whole with every turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server
    from tests.support.server_pool import ServerPool

CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
INSTRUCTIONS = (
    "You are an agent that helps with programs in a terminal. Be brief. Look at files before you change them, and say "
    "what you have found. Never guess what a file holds; read it with the tools that you have."
)
TOOLS: list[dict[str, Any]] = [
    {
        "name": "Read",
        "description": "Reads a file.",
        "input_schema": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": {
                "file_path": {"type": "string", "enum": ["/src/main.py", "/src/test.py"]},
                "limit": {"type": "integer", "minimum": 1, "maximum": 99},
            },
            "required": ["file_path", "limit"],
            "additionalProperties": False,
        },
    },
    {
        "name": "Bash",
        "description": "Runs a command.",
        "input_schema": {
            "type": "object",
            "properties": {"command": {"type": "string", "enum": ["ls", "make test"]}},
            "required": ["command"],
            "additionalProperties": False,
        },
    },
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
]


class Agent:
    """Sends turns, each with all that was said before.

    Args:
        url: of the server.
        first_line: what the first block of instructions says in each turn.
    """

    def __init__(self, url: str, first_line: str = "") -> None:
        self._client = anthropic.Anthropic(base_url=url, auth_token="none", max_retries=0, timeout=60)
        self._first_line = first_line
        self._n_turns = 0
        self.messages: list[Any] = []

    def close(self) -> None:
        self._client.close()

    def turn(self, *blocks: dict[str, Any], choice: str = "any") -> Any:
        """Say something, and remember the answer."""
        self._n_turns += 1
        self.messages.append({"role": "user", "content": [*blocks[:-1], blocks[-1] | CACHED]})
        first = self._first_line.format(number=self._n_turns)
        system = [{"type": "text", "text": first}] if first else []
        answer = self._stream(system=[*system, {"type": "text", "text": INSTRUCTIONS, **CACHED}], choice=choice)
        # The mark moves to what is said last.
        self.messages[-1]["content"][-1].pop("cache_control")
        self.messages.append({"role": "assistant", "content": [block.model_dump() for block in answer.content]})
        return answer

    def _stream(self, *, system: list[Any], choice: str) -> Any:
        with self._client.beta.messages.stream(
            model="any",
            max_tokens=64,
            system=system,
            messages=self.messages,
            tools=TOOLS,  # type: ignore[arg-type]
            tool_choice={"type": choice},  # type: ignore[arg-type]
            metadata={"user_id": "user_1_account__session_2"},
            thinking={"type": "enabled", "budget_tokens": 1024},
            context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            betas=["interleaved-thinking-2025-05-14", "context-management-2025-06-27"],
            extra_body={"temperature": 0},
        ) as stream:
            return stream.get_final_message()


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def results(answer: Any, words: str) -> list[dict[str, Any]]:
    """What each call of an answer gave."""
    return [
        {"type": "tool_result", "tool_use_id": block.id, "content": words, "is_error": False}
        for block in answer.content
        if block.type == "tool_use"
    ]


@pytest.fixture(scope="module")
def roomy(servers: ServerPool) -> Server:
    return servers.get("-c", "4096", "-np", "2", "--metrics")


def session(agent: Agent) -> list[Any]:
    """Four turns: two that must call a tool, and two in which the model does as it likes."""
    asked = [agent.turn(text("<reminder>Today is Sunday.</reminder>"), text("Why does the test fail?"))]
    asked.append(agent.turn(*results(asked[0], "1  import main\n2  assert main.add(1, 2) == 4\n")))
    asked.append(agent.turn(*results(asked[1], "1  def add(a, b):\n2      return a + b\n"), choice="auto"))
    asked.append(agent.turn(*results(asked[2], "Done."), text("So which of them is wrong?"), choice="auto"))
    return asked


@pytest.fixture
def agents(roomy: Server, request: pytest.FixtureRequest) -> Iterator[Agent]:
    agent = Agent(roomy.rest_url, request.param)
    yield agent
    agent.close()


BILLING = "x-anthropic-billing-header: cc_version=2.1.{number}; cc_entrypoint=cli; cch={number}{number}a{number};"


@pytest.mark.parametrize("agents", [BILLING, ""], indirect=True, ids=["changing", "none"])
def test_each_turn_evaluates_what_is_new_in_it(agents: Agent) -> None:
    answers = session(agents)
    assert [answer.stop_reason for answer in answers[:2]] == ["tool_use", "tool_use"]
    for answer in answers[:2]:
        for block in answer.content:
            assert block.type == "tool_use"
            assert block.name in ("Read", "Bash")
    usages = [answer.usage for answer in answers]
    prompts = [usage.input_tokens + usage.cache_read_input_tokens for usage in usages]
    assert prompts == sorted(prompts)
    for earlier, usage in zip(prompts, usages[1:], strict=False):
        # All that the turn before had, but for the beginning of the answer that it ended with.
        assert usage.cache_read_input_tokens >= earlier - 4
    # The blocks of the last turn are all there is to evaluate, and not the tools and the instructions.
    assert usages[-1].input_tokens < prompts[-1] / 4


@pytest.mark.parametrize("agents", ["Request number {number}."], indirect=True)
def test_another_first_line_costs_the_cache(agents: Agent) -> None:
    """What would happen to the changing block if it were not left out; else the test above would say nothing."""
    usages = [answer.usage for answer in session(agents)]
    prompts = [usage.input_tokens + usage.cache_read_input_tokens for usage in usages]
    assert all(usage.cache_read_input_tokens < prompts[0] / 2 for usage in usages[1:])
