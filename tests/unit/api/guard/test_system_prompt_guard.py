"""Who may change the system prompt of all slots with a request."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from service.api.guard.system_prompt_guard import SystemPromptGuard
from service.errors import NotAllowed

LOCAL = ["127.0.0.1:0", "127.9.9.9:50051", "[::1]:50051", "unix:/run/core.sock"]
OPEN = ["0.0.0.0:50051", "[::]:50051", "192.0.2.1:1", "[2001:db8::1]:1"]
TCP, UNIX = "ipv4:127.0.0.1:4711", "unix:"


def test_everybody_may_where_only_this_machine_can_call() -> None:
    guard = SystemPromptGuard(LOCAL)
    guard.check(TCP)
    guard.check(UNIX)


@pytest.mark.parametrize("address", OPEN)
def test_over_tcp_nobody_may_where_others_can_call_without_a_key(address: str) -> None:
    guard = SystemPromptGuard([*LOCAL, address])
    for peer in (TCP, "ipv6:[::1]:4711", "ipv4:192.0.2.7:4711"):
        with pytest.raises(NotAllowed, match="with `allow_system_prompt`"):
            guard.check(peer)
    guard.check(UNIX)
    guard.check("unix:/run/core.sock")


@pytest.mark.parametrize("options", [{"has_keys": True}, {"is_off": True}])
def test_with_keys_or_by_choice_everybody_who_may_call_may(options: dict[str, bool]) -> None:
    SystemPromptGuard(OPEN, **options).check("ipv4:192.0.2.7:4711")


def test_a_name_is_as_local_as_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, list[str]] = {"here": ["127.0.0.1", "::1"], "there": ["127.0.0.1", "192.0.2.1"]}

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        if host not in found:
            raise socket.gaierror
        return [(0, 0, 0, "", (address, port)) for address in found[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    SystemPromptGuard(["here:1"]).check(TCP)
    for name in ("there", "nowhere"):
        with pytest.raises(NotAllowed):
            SystemPromptGuard([f"{name}:1"]).check(TCP)
