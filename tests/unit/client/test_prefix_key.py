"""Prefix keys, as the clients of all languages make them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from slotline.client.prefix_key import prefix_key, ranked
from slotline.v1 import generation_pb2

CASES = json.loads((Path(__file__).parents[3] / "clients/prefix_keys.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_a_prompt_has_the_key_that_all_languages_give_it(case: dict[str, Any]) -> None:
    request = json_format.ParseDict(case["request"], generation_pb2.GenerateRequest())
    assert prefix_key(request) == case["key"]


def test_servers_come_in_the_same_order_for_the_same_key_and_one_that_goes_moves_no_other() -> None:
    servers = [f"core-{i}:50051" for i in range(5)]
    orders = {f"key {i}": ranked(servers, f"key {i}") for i in range(50)}
    assert {order[0] for order in orders.values()} == set(servers)
    for key, order in orders.items():
        assert ranked(servers[::-1], key) == order
        assert ranked([one for one in servers if one != order[0]], key) == order[1:]
