"""JSON to messages of ``slotline.v1`` and back, as pure functions: no Flask, no sockets, no clock.

May import ``slotline.v1`` and ``rest_adapter.errors``.
"""
