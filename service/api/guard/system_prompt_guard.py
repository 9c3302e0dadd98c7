"""Who may change the system prompt of all slots by a request: it precedes everybody's prompts."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from service.api.listen.addresses import TcpAddress, parse_address
from service.errors import NotAllowed
from slotline.protocol.reasons import CONFIG_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable


class SystemPromptGuard:
    """Allows the change to callers with an API key; without keys, to callers who are surely on this machine.

    gRPC does not tell by which listener a call came, only whether it was a unix socket, which nobody but our own user
    can open. So calls over TCP are allowed if no TCP listener can be reached from elsewhere.

    Args:
        addresses: where the server listens, or tries to.
        has_keys: whether all calls present API keys.
        is_off: allow everybody.
    """

    def __init__(self, addresses: Iterable[str] = (), *, has_keys: bool = False, is_off: bool = False) -> None:
        self._is_open_to_all = has_keys or is_off or all(_is_local(address) for address in addresses)

    def check(self, peer: str) -> None:
        """Refuse a call that would change it.

        Args:
            peer: who calls, as gRPC names it.

        Raises:
            NotAllowed: the caller may be anybody.
        """
        if not self._is_open_to_all and not peer.startswith("unix:"):
            raise NotAllowed(
                "system_prompt: is the prompt of everybody, and others than this machine reach this server without an "
                "API key; start it with `api_keys`, with `allow_system_prompt`, or listen on 127.0.0.1",
                metadata={CONFIG_FIELDS: "api_keys,allow_system_prompt"},
            )


def _is_local(text: str) -> bool:
    """Whether an address can be reached from this machine only."""
    address = parse_address(text)
    if not isinstance(address, TcpAddress):
        return True
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError:
        # Nothing can listen on it either; and if that changes later, nobody knows where it leads.
        return False
    return all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)
