"""Shows what can go wrong, and how a program tells one thing from another."""

import os
from typing import Unpack

from slotline.client import Client, GenerateOptions, SlotlineError, StreamLost


def explain(target: str, **options: Unpack[GenerateOptions]) -> str:
    """What comes of a call, in words."""
    with Client(target) as client:
        try:
            client.complete("Once upon a time", **options)
        except StreamLost:
            return "the server is gone; what came before is true"
        except SlotlineError as error:
            if error.retry_after_s is not None:
                return f"{error.reason}: try again in {error.retry_after_s} s"
            if error.field:
                return f"{error.reason} in {error.message}"
            return f"{error.code.name}, reason {error.reason!r}"
    return "nothing went wrong"


print(explain(os.environ.get("SLOTLINE_TARGET", "127.0.0.1:50051"), max_delta_delay_ms=60_000))
print(explain("127.0.0.1:1"))
