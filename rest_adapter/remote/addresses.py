"""Which addresses are those of the public internet.

``ipaddress`` knows the registries of special addresses as they were when Python was released, and takes an IPv4 address
inside an IPv6 address for a part of the latter. So IPv6 is allowed by what is public instead of by what is not.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

#: Of IPv4: addresses that Python releases do not agree about.
_SPECIAL_V4 = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("198.18.0.0/15"),
    IPv4Network("240.0.0.0/4"),
)
#: All that has been given out.
_PUBLIC_V6 = IPv6Network("2000::/3")
#: Of it: protocols (Teredo among them, which holds an IPv4 address), examples, 6to4 (which holds one, too).
_SPECIAL_V6 = (
    IPv6Network("2001::/23"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),
    IPv6Network("3fff::/20"),
)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public internet, and of a single machine."""
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in special for special in _SPECIAL_V4)
    return address in _PUBLIC_V6 and not any(address in special for special in _SPECIAL_V6)
