"""What the server says of conversations: --reasoning, --reasoning-effort, --chat-template-kwargs, and who wins."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from rest_adapter.apis.anthropic.messages.request import read_messages
from rest_adapter.apis.common.chat_defaults import ChatDefaults
from rest_adapter.apis.openai.chat.request import read_chat
from rest_adapter.apis.openai.responses.request import read_response
from rest_adapter.config import RestConfig
from slotline.protocol.thinking import EFFORTS
from slotline.v1.prompt_pb2 import ChatPrompt

OFF, ON = {"enable_thinking": False}, {"enable_thinking": True}
LOW, HIGH = dict.fromkeys(EFFORTS, "low"), dict.fromkeys(EFFORTS, "high")
Reader = Callable[[Mapping[str, Any], RestConfig], ChatPrompt]


def of_chat(body: Mapping[str, Any], config: RestConfig) -> ChatPrompt:
    messages = [{"role": "user", "content": "Hi"}]
    return read_chat({"messages": messages, **body}, defaults=ChatDefaults.of(config)).request.chat


def of_response(body: Mapping[str, Any], config: RestConfig) -> ChatPrompt:
    return read_response({"input": "Hi", **body}, defaults=ChatDefaults.of(config)).request.chat


def of_messages(body: Mapping[str, Any], config: RestConfig) -> ChatPrompt:
    messages = [{"role": "user", "content": "Hi"}]
    raw = {"messages": messages, "max_tokens": 8, **body}
    return read_messages(raw, defaults=ChatDefaults.of(config)).request.chat


def seen(chat: ChatPrompt) -> tuple[bool | None, dict[str, Any]]:
    """Whether the core is asked to have the model think, and the variables."""
    enabled = chat.reasoning.enabled if chat.reasoning.HasField("enabled") else None
    return enabled, json.loads(chat.template_kwargs_json or "{}")


ALL = pytest.mark.parametrize("read", [of_chat, of_response, of_messages])


@ALL
@pytest.mark.parametrize(
    ("config", "enabled", "variables"),
    [
        (RestConfig(), None, {}),
        (RestConfig(template_variables={"a": 1}), None, {"a": 1}),
        # --reasoning goes before --chat-template-kwargs.
        (RestConfig(reasoning=True), True, {}),
        (RestConfig(template_variables={**OFF, "a": 1}), False, {**OFF, "a": 1}),
        (RestConfig(template_variables=ON), True, ON),
        (RestConfig(template_variables={**OFF, "a": 1}, reasoning=True), True, {"a": 1}),
        (RestConfig(template_variables={"thinking": False}, reasoning=True), True, {}),
        # So does --reasoning-effort; and none of it turns thinking off.
        (RestConfig(reasoning_effort="low"), None, LOW),
        (RestConfig(template_variables={"reasoning_effort": "high"}, reasoning_effort="low"), None, LOW),
        (RestConfig(reasoning_effort="low", reasoning=True), True, LOW),
        (RestConfig(reasoning_effort="low", reasoning=False), False, {}),
        (RestConfig(reasoning_effort="none", template_variables=ON), False, {}),
    ],
)
def test_the_server_speaks_for_who_says_nothing(
    read: Reader, config: RestConfig, enabled: bool | None, variables: dict[str, Any]
) -> None:
    chat = read({}, config)
    assert seen(chat) == (enabled, variables)
    # A template without a switch does what it does.
    assert chat.reasoning.lenient or enabled is None


@pytest.mark.parametrize("read", [of_chat, of_response])
@pytest.mark.parametrize(
    ("config", "body", "enabled", "variables"),
    [
        (RestConfig(template_variables={**OFF, "a": 1}), {"enable_thinking": True}, True, {"a": 1}),
        (RestConfig(template_variables={**OFF, "thinking": False}), {"enable_thinking": True}, True, {}),
        (RestConfig(template_variables={**OFF, "a": 1}), {"chat_template_kwargs": ON}, None, {**ON, "a": 1}),
        (RestConfig(template_variables={"a": 1, "b": 2}), {"chat_template_kwargs": {"b": 3}}, None, {"a": 1, "b": 3}),
        (RestConfig(template_variables=OFF), {"chat_template_kwargs": {"b": 3}}, False, {**OFF, "b": 3}),
        (RestConfig(reasoning_effort="low"), {"enable_thinking": True}, True, LOW),
        (RestConfig(reasoning_effort="low"), {"enable_thinking": False}, False, {}),
        (RestConfig(reasoning_effort="none"), {"enable_thinking": True}, True, {}),
        (RestConfig(template_variables={"reasoning_effort": "none"}), {"enable_thinking": True}, True, {}),
        (
            RestConfig(reasoning_effort="low"),
            {"chat_template_kwargs": {"reasoning_effort": "max"}},
            None,
            {**LOW, "reasoning_effort": "max"},
        ),
    ],
)
def test_a_request_wins(
    read: Reader, config: RestConfig, body: dict[str, Any], enabled: bool | None, variables: dict[str, Any]
) -> None:
    assert seen(read(body, config)) == (enabled, variables)


def test_a_request_is_as_strict_as_without_the_server() -> None:
    assert not of_chat({"enable_thinking": True}, RestConfig(reasoning_effort="low")).reasoning.lenient


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (of_chat, {"reasoning_effort": "max"}),
        (of_response, {"reasoning": {"effort": "max"}}),
        (of_messages, {"output_config": {"effort": "max"}}),
    ],
)
def test_the_effort_of_a_request_wins(read: Reader, body: dict[str, Any]) -> None:
    chat = read(body, RestConfig(reasoning_effort="low", template_variables={"a": 1}))
    assert (chat.reasoning.effort, seen(chat)) == ("max", (None, {"a": 1}))


@pytest.mark.parametrize(
    ("body", "enabled", "effort"),
    [
        ({"thinking": {"type": "adaptive"}}, True, ""),
        ({"thinking": {"type": "disabled"}}, False, ""),
        # Agents send the effort of all they do, whether models think or not.
        ({"output_config": {"effort": "max"}}, False, ""),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, True, "max"),
    ],
)
def test_messages_say_themselves_whether_to_think(body: dict[str, Any], enabled: bool, effort: str) -> None:
    chat = of_messages(body, RestConfig(reasoning=False))
    assert (chat.reasoning.enabled, chat.reasoning.effort) == (enabled, effort)
