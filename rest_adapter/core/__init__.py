"""The core behind its gRPC address: calls, the way from gevent to asyncio and back, and failures."""
