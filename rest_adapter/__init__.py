"""The REST adapter: turns the REST, SSE and OpenAI APIs into calls of ``slotline.v1``. Stateless; talks gRPC only.

``server`` listens, ``app`` puts ``routes`` together, ``translate`` turns JSON into messages and back, ``core_client``
carries them to the core. Imports run in that order. Nothing here imports ``service``, and nothing is monkey-patched:
gevent serves HTTP in the main thread, ``bridge`` runs asyncio for gRPC in another.
"""
