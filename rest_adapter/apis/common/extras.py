"""What a body may ask for beside its answer: how far the prompt is, the times so far, comments while a stream waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_flag, read_int
from rest_adapter.json.number_bounds import INT32

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slotline.v1.generation_pb2 import GenerateRequest

PROGRESS = "return_progress"
TIMES = "timings_per_token"
PING = "sse_ping_interval"
#: Seconds of silence; -1 and 0 are for no comments at all.
PING_BOUNDS = (-1, INT32[1])


@dataclass(frozen=True, slots=True)
class Extras:
    """What a body asks for beside its answer.

    Attributes:
        tells_times: the answer, and each event of a stream, has the times so far.
        ping_interval_s: seconds of silence after which a stream gets a comment, not above 0 for never; None if the
            body leaves that to the server.
    """

    tells_times: bool = False
    ping_interval_s: int | None = None

    def ping_s(self, usual: float | None) -> float | None:
        """Seconds of silence after which a stream gets a comment, None for never.

        Args:
            usual: the server's.
        """
        if self.ping_interval_s is None:
            return usual
        return float(self.ping_interval_s) if self.ping_interval_s > 0 else None


def read_extras(request: GenerateRequest, body: Mapping[str, object], *, is_stream: bool) -> Extras:
    """Read these fields, and ask the core for what they need. Only streams tell anything before their end.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    if read_flag(body, PROGRESS) and is_stream:
        request.output.prompt_progress = True
    tells_times = read_flag(body, TIMES)
    if tells_times and is_stream:
        request.output.timings = True
    ping = body.get(PING)
    return Extras(tells_times, None if ping is None else read_int(PING, ping, PING_BOUNDS))
