"""Media types of answers."""

from __future__ import annotations

JSON = "application/json"
#: What most answers have; /health, /slots and /openapi.json have always had no charset.
JSON_UTF8 = f"{JSON}; charset=utf-8"
EVENTS = "text/event-stream"
#: Without a charset some clients take the events for Latin-1.
EVENTS_UTF8 = f"{EVENTS}; charset=utf-8"
