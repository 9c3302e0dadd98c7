"""Addresses, unix sockets and the bounds on connections. Imports nothing else of ``service.api``."""
