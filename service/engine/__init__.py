"""The slot engine: continuous batching of requests on one model, and the thread that drives it.

``engine`` is the public face, ``step`` is one step, and ``parts`` is what both work on. ``request`` is what is asked,
``schedule`` decides what runs next, ``cache`` is what slots hold, ``output`` is what callers get, and ``statistics``
counts. Knows the model only through ``language_model``; imports ``service.sampling`` and ``service.errors``, neither
gRPC nor ``llama_cpp``.
"""
