"""The slot engine: continuous batching of requests on one model, and the thread that drives it.

``request`` is what is asked, ``schedule`` decides what runs next, ``cache`` is what slots hold, ``output`` is what
callers get, ``statistics`` counts. Knows the model only through ``language_model``; imports ``service.sampling`` and
``service.errors``, neither gRPC nor ``llama_cpp``.
"""
