"""The REST adapter: turns the REST, SSE and OpenAI APIs into calls of ``slotline.v1``. Stateless; talks gRPC only.

``http`` listens, ``app`` puts the routes of ``apis`` together, those turn JSON into messages and back, and ``core``
carries them to the core. Nothing here imports ``service``, and nothing is monkey-patched: gevent serves HTTP in the
main thread, ``core.bridge`` runs asyncio for gRPC in another.
"""
