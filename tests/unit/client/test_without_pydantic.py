"""The client is of use without pydantic."""

from __future__ import annotations

import subprocess
import sys

#: Typed answers and tools, in a process in which pydantic cannot be imported.
PROGRAM = """
import sys

sys.modules["pydantic"] = None

from dataclasses import dataclass

from slotline.client import Tools
from slotline.client.structured import parse_options


@dataclass
class Point:
    x: int


def move(to: Point) -> None:
    pass


print(parse_options("Hi", Point, {})["json_schema"]["required"], Tools([move]).declarations[0]["function"]["name"])
"""


def test_types_and_functions_need_no_pydantic() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout == "['x'] move\n"
