"""The ``slotline`` command: options, help, logs, and the supervisor that runs core and REST adapter as one server.

Modules that run before a port is bound import neither ``llama_cpp`` nor ``gevent``, so that ``--help`` and errors are
instant and the port accepts connections early.
"""
