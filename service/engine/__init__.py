"""The slot engine: scheduler, slots, KV ledger, text output, and the thread that drives them.

Knows the model only through ``service.engine.model``; imports ``service.sampling`` and ``service.errors``, neither
gRPC nor ``llama_cpp``.
"""
