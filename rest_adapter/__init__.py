"""The REST adapter: turns the REST, SSE and OpenAI APIs into calls of ``slotline.v1``. Stateless; talks gRPC only.

``rest_server`` puts an adapter together, and ``app`` the routes of ``apis``. Those turn JSON into messages and back;
``core`` carries the messages to the core, and ``http`` the answers to clients. ``files`` serves the web page,
``openapi`` describes the routes, and ``json`` reads and writes JSON. Each imports only what comes after it in this
order: ``rest_server``, ``app``, ``apis``, ``files``, ``openapi``, ``core``, ``http``, ``json``. All may import
``errors`` and ``config``.

Nothing here imports ``service``, and nothing is monkey-patched: gevent serves HTTP in the main thread, ``core.bridge``
runs asyncio for gRPC in another.
"""
