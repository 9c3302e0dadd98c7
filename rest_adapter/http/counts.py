"""What this adapter counts about itself, for GET /metrics."""

from __future__ import annotations

from collections import Counter

# Clients choose methods and paths freely; what a scraper has to keep must stay bounded.
OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


class ResponseCounts:
    """Counts responses by method, route and status. For one thread."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, int]] = Counter()

    def add(self, method: str, route: str | None, status: int) -> None:
        """Count a response that begins.

        Args:
            method: HTTP method of the request.
            route: path of the route that answered, None if it was none of ours.
            status: HTTP status.
        """
        self._counts[method if method in _METHODS else OTHER, route or OTHER, status] += 1

    def exposition(self, *, running: int) -> str:
        """The counts, and the generations and embeddings that run or wait, in the Prometheus text format."""
        lines = [
            "# HELP slotline_rest_responses_total HTTP responses by route and status.",
            "# TYPE slotline_rest_responses_total counter",
            *(
                f'slotline_rest_responses_total{{method="{method}",route="{route}",status="{status}"}} {count}'
                for (method, route, status), count in sorted(self._counts.items())
            ),
            "# HELP slotline_rest_requests_running Generations and embeddings that run or wait.",
            "# TYPE slotline_rest_requests_running gauge",
            f"slotline_rest_requests_running {running}",
        ]
        return "".join(f"{line}\n" for line in lines)
