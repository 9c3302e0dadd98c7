"""Whose call it is: what keys and metadata say about the tenant of a call."""

from __future__ import annotations

import itertools

import pytest

from service.api.guard.tenants import MAX_TENANT_BYTES, Tenants, salted
from service.errors import InvalidArgument
from slotline.protocol.api_keys import tenant_of_key

A, B, ADAPTER = tenant_of_key(b"key-a"), tenant_of_key(b"key b"), "adapter's own"
KEYED = Tenants(["key-a", "key b", ADAPTER], ADAPTER)
Metadata = tuple[tuple[str, str | bytes], ...]


def call(key: str | None = None, *tenants: str) -> Metadata:
    """The metadata of a call."""
    presented = () if key is None else (("authorization", f"Bearer {key}"),)
    return (*presented, *(("slotline-tenant", tenant) for tenant in tenants))


@pytest.mark.parametrize(
    ("metadata", "tenant"),
    [
        (call("key-a"), A),
        (call("key b"), B),
        (call("key-a", "client"), f"{A}:client"),
        (call("key-a", A), A),
        (call("key-a", B), f"{A}:{B}"),
        (call("key-a", f"{B}:client"), f"{A}:{B}:client"),
        (call(ADAPTER, B), B),
        (call(ADAPTER), ""),
    ],
)
def test_a_key_is_a_tenant_that_a_name_divides(metadata: Metadata, tenant: str) -> None:
    assert KEYED.tenant_of(metadata) == tenant


@pytest.mark.parametrize(
    ("metadata", "tenant"),
    [(None, ""), (call(), ""), (call("key-a"), ""), (call("key-a", "x"), ":x"), (call(None, A), f":{A}")],
)
def test_without_keys_there_is_one_tenant_that_a_name_divides(metadata: Metadata | None, tenant: str) -> None:
    assert Tenants().tenant_of(metadata) == tenant


def test_nobody_can_name_the_tenant_of_another_key() -> None:
    others = [KEYED.tenant_of(call("key b", *named)) for named in ((), ("x",), ("y:z",), (B,))]
    names = [*others, "", ":", "x", f"x:{A}", f":{A}"]
    mine = {KEYED.tenant_of(call("key-a", *([name] if name else []))) for name in names}
    assert mine.isdisjoint(others)
    # Nor can one without a key get at what belongs to a key, for example where the adapter has keys and the core none.
    assert {Tenants().tenant_of(call(None, name)) for name in others}.isdisjoint(others)


@pytest.mark.parametrize(
    "named", [("",), ("two words",), ("line\nfeed",), ("é",), ("x" * (MAX_TENANT_BYTES + 1),), ("x", "x")]
)
def test_other_names_are_refused(named: tuple[str, ...]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        KEYED.tenant_of(call("key-a", *named))
    assert caught.value.field == "metadata slotline-tenant"
    assert "allowed is one word of at most 128 printable ASCII characters" in caught.value.problem


def test_the_longest_name_allowed_is_a_name() -> None:
    name = "x" * MAX_TENANT_BYTES
    assert KEYED.tenant_of(call("key-a", name)) == f"{A}:{name}"


def test_no_key_can_be_read_in_the_name_of_its_tenant() -> None:
    assert "key-a" not in KEYED.tenant_of(call("key-a"))
    assert len({tenant_of_key(key) for key in (b"", b"key-a", b"key-a ", b"slotline tenant key-a")}) == 4


def test_salts_of_different_tenants_differ_whatever_they_say() -> None:
    tenants, wishes = ["", ":x", A, B, f"{A}:x"], ["", "x", A, f"{B}\n", f"\n{A}", f"{A}\nx", f"x\n{B}"]
    salts = {salted(tenant, wish) for tenant, wish in itertools.product(tenants, wishes)}
    assert len(salts) == len(tenants) * len(wishes)
