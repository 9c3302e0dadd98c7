"""A small typed client for a Slotline core.

::

    from slotline.client import Client

    with Client("127.0.0.1:50051") as client:
        for text in client.generate("Once upon a time", max_tokens=32):
            print(text, end="", flush=True)

``parse`` has an answer as a value of a type, ``Tools`` makes tools of functions, and ``image`` makes a picture of a
file. ``AsyncClient`` is the same with ``async``. What is missing here is in the generated stubs, ``slotline.v1``, on
which this is built; their messages may be used here too: a ``GenerateRequest`` is accepted wherever a prompt is.
"""

from slotline.client.async_generation import AsyncGeneration
from slotline.client.asynchronous import AsyncClient
from slotline.client.connection import Tls
from slotline.client.constraints import JsonStyle
from slotline.client.errors import SlotlineError, StreamLost
from slotline.client.generation import Generation
from slotline.client.images import Part, image
from slotline.client.messages import Message
from slotline.client.options import GenerateOptions
from slotline.client.requests import EmbedInput, Prompt
from slotline.client.results import (
    Completion,
    Continuation,
    Delta,
    IncompleteAnswer,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from slotline.client.structured import Parsed
from slotline.client.synchronous import Client
from slotline.client.tools import ToolError, Tools

__all__ = [
    "AsyncClient",
    "AsyncGeneration",
    "Client",
    "Completion",
    "Continuation",
    "Delta",
    "EmbedInput",
    "GenerateOptions",
    "Generation",
    "IncompleteAnswer",
    "JsonStyle",
    "Message",
    "Parsed",
    "Part",
    "Prompt",
    "ReasoningDelta",
    "SlotlineError",
    "StreamLost",
    "TextDelta",
    "Tls",
    "ToolCall",
    "ToolCallDelta",
    "ToolError",
    "Tools",
    "image",
]
