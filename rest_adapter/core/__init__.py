"""The core behind its gRPC address: calls, the bridge between gevent and asyncio, and failures."""
